"""Trial reconstructions around a guessed centre, judged by how sparse their fine structure is.

A shift of the centre is a phase ramp in the row filter, so trial centres become neighbours along z of one
slab and share one pass of the kernel. The measure is the ratio of the mean to the root mean square of what
is left of a slice without its smooth part (Hurley and Rickard, IEEE Trans. Inf. Theory 55 (2009) 4723, l1
over l2): a wrong centre bends every edge into a long arc, which makes it larger. Smooth parts, which halo and
shade-off of a phase plate falsify, do not count. On simulated Zernike scans total variation, entropy,
kurtosis and energy strayed by up to several pixels, this one by less than a tenth.

Entropy of grey values (Donath et al., J. Opt. Soc. Am. A 23 (2006) 1048) takes its place for a limited angle.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Literal

import numba
import numpy as np
import numpy.typing as npt
from scipy import fft, ndimage

from streamlcn.reconstruction._filter import ramp_response
from streamlcn.reconstruction._kernel import TILE, back_project
from streamlcn.reconstruction._weights import relative_weights

__all__ = ["Found", "Trials"]

MAX_ANGLES = 400
MAX_IMAGE_ROWS = 256
RADIUS = 0.85
BATCH = 24
SMOOTH_PX = 1.0
BACKGROUND_PX = 2.0
ENTROPY_RADIUS = 0.9
ENTROPY_SMOOTH_PX = 1.5
BINS = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Minimum of a search; ``depth`` is how far it lies below the median, as a share of that."""

    pixels: float
    stderr_pixels: float
    depth: float


class Trials:
    """Trial slices of a few detector rows, ``lines`` (index, row, column), angles in order.

    Judged by sharpness, or by entropy where angles are missing: their streaks are sharp, too.
    """

    def __init__(
        self,
        lines: npt.NDArray[np.float32],
        angles_rad: npt.NDArray[np.float64],
        threads: int,
        measure: Literal["sharpness", "entropy"] = "sharpness",
    ) -> None:
        self._is_sharpness = measure == "sharpness"
        smooth_px = SMOOTH_PX if self._is_sharpness else ENTROPY_SMOOTH_PX
        stride = max(1, len(angles_rad) // MAX_ANGLES)
        self._angles = angles_rad[::stride]
        self._weights = relative_weights(self._angles).astype(np.float32)
        self._rows, self._columns = lines.shape[1:]
        self._threads = threads
        length = int(fft.next_fast_len(3 * self._columns, real=True))
        self._first = (length - self._columns) // 2
        self._length = length
        padding = ((0, 0), (0, 0), (self._first, length - self._columns - self._first))
        padded = np.pad(lines[::stride], padding, mode="edge")
        blur = np.exp(-2 * (np.pi * smooth_px * np.fft.rfftfreq(length)) ** 2)
        response = (ramp_response(length, "ramlak") * blur).astype(np.float32)
        self._spectra = fft.rfft(padded, axis=-1) * response  # (index, row, frequency)

    def search(self, guess: float, steps: int, step_px: float, *, walks: int = 4) -> Found:
        """Return the best centre of ``steps`` around ``guess``; goes on when that is the last one."""
        for _ in range(walks):
            centres = guess + (np.arange(steps) - steps // 2) * step_px
            centres = centres[(centres >= 0) & (centres <= self._columns - 1)]
            images = self._reconstruct(centres)
            spread = self._spread(images) if self._is_sharpness else self._entropy(images)  # (row, trial)
            best = int(np.argmin(spread.sum(axis=0)))
            if 0 < best < len(centres) - 1 or len(centres) < steps:
                break
            guess = float(centres[best])
        total = spread.sum(axis=0)
        pixels = _lowest(centres, total)
        votes = np.array([_lowest(centres, row) for row in spread])
        trust = np.array([np.ptp(row) for row in spread]) + 1e-30
        error = math.sqrt(float(np.average((votes - pixels) ** 2, weights=trust)) / max(len(votes) - 1, 1))
        depth = 1 - float(total.min() / max(np.median(total), 1e-30))
        return Found(pixels=pixels, stderr_pixels=max(error, step_px / 10), depth=depth)

    def _entropy(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return the entropy of the grey values of slices (y, x, row * trial), (row, trial)."""
        band, inside = self._seen(images, ENTROPY_RADIUS)
        trials = images.shape[2] // self._rows
        some = band[::4, ::4][inside[::4, ::4]].reshape(-1, self._rows, trials)
        low, high = np.percentile(some, (0.1, 99.9), axis=(0, 2)).astype(np.float32)
        scale = BINS / np.maximum(high - low, np.float32(1e-30))
        counts = np.zeros((images.shape[2], BINS), np.int64)
        _count(band, inside, np.repeat(low, trials), np.repeat(scale, trials), counts)
        share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
        logarithm = np.log(share, where=share > 0, out=np.zeros(share.shape))
        entropy: npt.NDArray[np.float64] = -(share * logarithm).sum(axis=1)
        return entropy.reshape(self._rows, trials)

    def _spread(self, images: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """Return l1 over l2 of the fine structure of slices (y, x, row * trial), as (row, trial)."""
        band, inside = self._seen(images, RADIUS)
        fine = np.abs((band - ndimage.gaussian_filter(band, (BACKGROUND_PX, BACKGROUND_PX, 0)))[inside])
        power = np.sqrt(np.square(fine).mean(axis=0, dtype=np.float64))
        ratio = fine.mean(axis=0, dtype=np.float64) / np.maximum(power, 1e-30)
        return np.asarray(ratio.reshape(self._rows, -1), np.float64)

    def _seen(
        self, images: npt.NDArray[np.float32], radius: float
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
        """Return the rows that were reconstructed, and where they lie in a circle (share of the width)."""
        size = self._columns
        first = max(0, (size - MAX_IMAGE_ROWS) // 2)
        offset = np.arange(size) - (size - 1) / 2
        inside = offset[first : size - first, None] ** 2 + offset[None, :] ** 2 < (radius * size / 2) ** 2
        return images[first : size - first], inside

    def _reconstruct(self, centres: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """Return slices (y, x, row * trial) around the axis."""
        size = self._columns
        depth = self._rows * len(centres)
        margin = 3
        frequency = np.fft.rfftfreq(self._length)
        middle = (size - 1) / 2
        ramps = np.exp(2j * np.pi * frequency * (centres - middle)[:, None]).astype(np.complex64)
        volume = np.zeros((size, size, depth), np.float32)
        first = max(0, (size - MAX_IMAGE_ROWS) // 2)
        bands = [(y, min(y + TILE, size - first)) for y in range(first, size - first, TILE)]
        with ThreadPoolExecutor(self._threads) as pool:
            for start in range(0, len(self._angles), BATCH):
                angles = self._angles[start : start + BATCH]
                lines = np.empty((len(angles), size + 2 * margin, depth), np.float32)
                for k in range(len(angles)):
                    spectra = self._spectra[start + k][:, None, :] * ramps
                    shifted = fft.irfft(spectra, n=self._length, workers=self._threads)
                    window = shifted[..., self._first - margin : self._first + size + margin]
                    lines[k] = window.reshape(depth, -1).T * self._weights[start + k]
                cosines, sines = np.cos(angles), np.sin(angles)
                list(
                    pool.map(
                        lambda b, r=lines, c=cosines, s=sines: back_project(
                            volume, r, c, s, middle + margin, middle, b[0], b[1]
                        ),
                        bands,
                    )
                )
        return volume


@numba.njit(nogil=True, cache=True)
def _count(band, inside, low, scale, counts):  # type: ignore[no-untyped-def]
    """Count grey values of band (y, x, slice) into counts (slice, bin); those beyond are left out."""
    for y in range(band.shape[0]):
        for x in range(band.shape[1]):
            if inside[y, x]:
                for z in range(band.shape[2]):
                    place = (band[y, x, z] - low[z]) * scale[z]
                    if 0 <= place < counts.shape[1]:
                        counts[z, int(place)] += 1


def _lowest(centres: npt.NDArray[np.floating[Any]], cost: npt.NDArray[np.float64]) -> float:
    """Return the minimum of a parabola through the five points around the lowest."""
    best = int(np.argmin(cost))
    near = slice(max(best - 2, 0), best + 3)
    if len(centres[near]) < 3:
        return float(centres[best])
    bend, slope, _ = np.polyfit(centres[near] - centres[best], cost[near], 2)
    if bend <= 0:
        return float(centres[best])
    offset = -slope / (2 * bend)
    limit = 2 * abs(centres[1] - centres[0])
    return float(centres[best] + np.clip(offset, -limit, limit))
