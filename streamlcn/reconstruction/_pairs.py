"""The centre from projections half a turn apart: one is the other in a mirror."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import fft

__all__ = ["centre_from_pairs", "mirror_pairs"]

MAX_PAIRS = 8
MAX_MISS_STEPS = 1.5


def mirror_pairs(angles_rad: npt.NDArray[np.float64]) -> list[tuple[int, int]]:
    """Return up to eight pairs (i, j) of a sorted list whose angles are half a turn apart.

    A pair may miss by one and a half usual steps, because scans of 180 degrees often leave the last out.
    """
    span = float(angles_rad[-1] - angles_rad[0])
    if len(angles_rad) < 3 or span < np.pi / 2:
        return []
    allowed = max(MAX_MISS_STEPS * float(np.median(np.diff(angles_rad))), 1e-6)
    partner = np.searchsorted(angles_rad, angles_rad + np.pi)
    pairs = [
        (abs(float(angles_rad[j] - angles_rad[i]) - np.pi), i, int(j))
        for i, above in enumerate(partner)
        for j in (above - 1, above)
        if 0 <= j < len(angles_rad)
    ]
    close = sorted(p for p in pairs if p[0] <= allowed)
    if not close:
        return []
    best = [p for p in close if p[0] <= close[0][0] + 1e-6 or p[0] <= 0.1 * allowed]
    chosen = np.unique(np.linspace(0, len(best) - 1, MAX_PAIRS).round().astype(int))
    return [(best[k][1], best[k][2]) for k in chosen]


def centre_from_pairs(lines: npt.NDArray[np.float32], angles_rad: npt.NDArray[np.float64]) -> float | None:
    """Return the median centre over mirrored pairs of (index, row, column), None when there is no pair."""
    pairs = mirror_pairs(angles_rad)
    if not pairs:
        return None
    columns = lines.shape[2]
    shifts = [_shift(lines[i], lines[j][:, ::-1]) for i, j in pairs]
    return float((columns - 1 + np.median(shifts)) / 2)


def _shift(still: npt.NDArray[np.float32], moved: npt.NDArray[np.float32]) -> float:
    """Return s where still(u) = moved(u - s), by cross-correlation over all rows at once."""
    columns = still.shape[1]
    length = fft.next_fast_len(2 * columns, real=True)
    spectra = [fft.rfft(_centred(image), length, axis=1) for image in (still, moved)]
    correlation = fft.irfft((spectra[0] * np.conj(spectra[1])).sum(axis=0), length)
    peak = int(np.argmax(correlation))
    left, top, right = (float(correlation[(peak + k) % length]) for k in (-1, 0, 1))
    bend = left - 2 * top + right
    fraction = 0.5 * (left - right) / bend if bend < 0 else 0.0
    return (peak + length // 2) % length - length // 2 + fraction


def _centred(image: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Subtract each row's border level, so that an object inside the field correlates without pedestal."""
    border = np.concatenate([image[:, :3], image[:, -3:]], axis=1)
    return image.astype(np.float64) - np.median(border, axis=1, keepdims=True)
