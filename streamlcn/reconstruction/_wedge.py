"""The centre from what projections of one object have in common.

A sinogram over the full circle, taken about the axis, has almost no energy outside a double wedge of its
two-dimensional Fourier transform: waves of frequency f along the detector turn no faster than 2 pi f R, R the
radius of the sample (Edholm, Lewitt and Lindholm, Proc. SPIE 671 (1986) 8). Half a turn is completed by its
own mirror image, which fits only when it is mirrored about the axis: Vo et al., Optics Express 22 (2014)
19078. Here both halves are transformed once; a shift of the axis is a phase between them, so that the energy
inside the wedge for all axes at once is one inverse transform of their product, below the pixel, with no
trial and no interpolation. Where a full turn was measured, the same product compares all mirrored pairs.

Two inputs make two estimates. Projections as they are work through any noise, but halos, brightness that
differs between both sides of a plate and cut-off edges of a wide sample are their strongest features, and
those do not mirror. Their fine structure, faded out towards the borders of the detector, has none of these;
it is weaker than noise where there is much of that.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

__all__ = ["centre_from_wedge"]

OVERSAMPLING = 8
EXTRA_WAVES = 3
MIN_SEEN = 0.3
FINE_SHARE = 1 / 48
"""Standard deviation of the Gaussian whose difference is fine structure, of the width."""
FADE_SHARE = 0.15


def centre_from_wedge(
    lines: npt.NDArray[np.float32], angles_rad: npt.NDArray[np.float64], *, is_fine: bool = False
) -> tuple[float, float]:
    """Return the centre in pixels and its standard error from (index, row, column) line integrals.

    ``is_fine`` takes their fine structure in place of all. The angles must cover half a turn without a large
    gap. The error comes from how single rows disagree; it is infinite for one row.
    """
    columns = lines.shape[2]
    length = int(fft.next_fast_len(2 * columns, real=True))
    seen = _fine_structure if is_fine else _above_border
    rows = range(lines.shape[1])
    curves = np.stack([_fit_of_centres(seen(lines[:, row]), angles_rad, length) for row in rows])
    pixels = _peak(curves.sum(axis=0), columns)
    if len(curves) == 1:
        return pixels, float("inf")
    votes = np.array([_peak(curve, columns) for curve in curves])
    near = np.abs(votes - pixels).clip(max=columns / 4)
    trust = curves.max(axis=1) - curves.mean(axis=1) + 1e-30
    return pixels, float(np.sqrt(np.average(near**2, weights=trust) / (len(votes) - 1)))


def _fit_of_centres(
    rows: npt.NDArray[np.float32], angles_rad: npt.NDArray[np.float64], length: int
) -> npt.NDArray[np.float64]:
    """Return how well each shift 2 (centre - middle), in steps of 1 / OVERSAMPLING, fits (index, column)."""
    columns = rows.shape[1]
    frequency = np.fft.rfftfreq(length)
    to_middle = np.exp(2j * np.pi * frequency * (columns - 1) / 2).astype(np.complex64)
    spectra = fft.rfft(rows, length, axis=1) * to_middle
    direct, mirrored = _on_the_circle(spectra, angles_rad)
    waves = np.abs(np.fft.fftfreq(len(direct)) * len(direct))[:, np.newaxis]
    inside = waves <= np.pi * frequency * columns + EXTRA_WAVES  # the sample's radius is half the detector
    product: npt.NDArray[Any] = fft.fft(direct, axis=0, overwrite_x=True)
    product *= np.conj(fft.fft(mirrored, axis=0, overwrite_x=True))
    fit: npt.NDArray[np.float64] = fft.irfft((product * inside).sum(axis=0), length * OVERSAMPLING)
    return fit


def _above_border(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    border = np.median(np.concatenate([rows[:, :3], rows[:, -3:]], axis=1), axis=1, keepdims=True)
    return (rows - border).astype(np.float32)


def _fine_structure(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    columns = rows.shape[1]
    fine = rows - ndimage.gaussian_filter1d(rows, max(2.0, FINE_SHARE * columns), axis=1, mode="nearest")
    faded = max(1, round(FADE_SHARE * columns))
    window = np.minimum(np.arange(columns) + 0.5, np.arange(columns)[::-1] + 0.5).clip(max=faded)
    return (fine * (0.5 - 0.5 * np.cos(np.pi * window / faded))).astype(np.float32)


def _on_the_circle(
    spectra: npt.NDArray[np.complex64], angles_rad: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.complex64], npt.NDArray[np.complex64]]:
    """Return two (angle, frequency) arrays over the full turn: as measured, and as seen from behind."""
    steps = np.diff(np.sort(np.mod(angles_rad, np.pi)))
    step = float(np.median(steps[steps > 1e-6])) if (steps > 1e-6).any() else np.pi
    count = 2 * max(8, round(np.pi / step))
    place = np.mod(angles_rad - angles_rad.min(), 2 * np.pi) / (2 * np.pi) * count
    direct, seen = _spread(spectra, place, count)
    behind, seen_behind = _spread(np.conj(spectra), place + count / 2, count)
    total = seen + seen_behind
    share = np.where(total > MIN_SEEN, 1 / np.maximum(total, MIN_SEEN), 0).astype(np.float32)[:, np.newaxis]
    return direct * share, behind * share


def _spread(
    spectra: npt.NDArray[np.complex64], place: npt.NDArray[np.float64], count: int
) -> tuple[npt.NDArray[np.complex64], npt.NDArray[np.float64]]:
    """Add rows to the two nearest of ``count`` places on a circle; also return how much each place got."""
    below = np.floor(place + 1e-9).astype(int)
    share = np.maximum(place - below, 0.0)
    out = np.zeros((count, spectra.shape[1]), np.complex64)
    seen = np.zeros(count)
    for index, weight in ((below % count, 1 - share), ((below + 1) % count, share)):
        np.add.at(out, index, spectra * weight.astype(np.float32)[:, np.newaxis])
        np.add.at(seen, index, weight)
    return out, seen


def _peak(curve: npt.NDArray[np.float64], columns: int) -> float:
    """Return the centre at the highest point of a curve of shifts, by a parabola through three points."""
    length = len(curve)
    place = np.arange(length)
    shift = np.where(place > length // 2, place - length, place) / OVERSAMPLING
    best = int(np.argmax(np.where(np.abs(shift) <= columns - 1, curve, -np.inf)))
    left, top, right = (float(curve[(best + k) % length]) for k in (-1, 0, 1))
    bend = left - 2 * top + right
    fraction = 0.5 * (left - right) / bend if bend < 0 else 0.0
    return (columns - 1) / 2 + (float(shift[best]) + fraction / OVERSAMPLING) / 2
