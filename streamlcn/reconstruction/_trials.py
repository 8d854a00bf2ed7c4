"""Trial reconstructions around a guessed centre, judged by their sharpness.

A shift of the centre is a phase ramp in the row filter, so trial centres become neighbours along z of one
slab and share one pass of the kernel.
"""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import fft

from streamlcn.reconstruction._filter import ramp_response
from streamlcn.reconstruction._kernel import TILE, back_project
from streamlcn.reconstruction._weights import relative_weights

__all__ = ["Found", "Trials"]

MAX_ANGLES = 400
MAX_IMAGE_ROWS = 256
RADIUS = 0.9
BATCH = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Minimum of a search."""

    pixels: float
    stderr_pixels: float


class Trials:
    """Trial slices of a few detector rows, ``lines`` (index, row, column), angles in order."""

    def __init__(
        self, lines: npt.NDArray[np.float32], angles_rad: npt.NDArray[np.float64], threads: int
    ) -> None:
        stride = max(1, len(angles_rad) // MAX_ANGLES)
        self._angles = angles_rad[::stride]
        self._weights = relative_weights(self._angles).astype(np.float32)
        self._rows, self._columns = lines.shape[1:]
        self._threads = threads
        length = fft.next_fast_len(3 * self._columns, real=True)
        self._first = (length - self._columns) // 2
        self._length = length
        padding = ((0, 0), (0, 0), (self._first, length - self._columns - self._first))
        padded = np.pad(lines[::stride], padding, mode="edge")
        response = ramp_response(length, "hann").astype(np.float32)
        self._spectra = fft.rfft(padded, axis=-1) * response  # (index, row, frequency)

    def search(self, guess: float, steps: int, step_px: float) -> Found:
        """Return the sharpest centre of ``steps`` around ``guess``; walks on when that is the last one."""
        for _ in range(8):
            centres = guess + (np.arange(steps) - steps // 2) * step_px
            centres = centres[(centres >= 0) & (centres <= self._columns - 1)]
            variation, negative = self._judge(centres)
            best = int(np.argmin(variation.sum(axis=0)))
            if 0 < best < len(centres) - 1 or len(centres) < steps:
                break
            guess = float(centres[best])
        pixels = _lowest(centres, variation.sum(axis=0))
        votes = np.array([_lowest(centres, row) for row in variation])
        trust = np.array([np.ptp(row) for row in variation]) + 1e-30
        spread = math.sqrt(float(np.average((votes - pixels) ** 2, weights=trust)) / max(len(votes) - 1, 1))
        other = _lowest(centres, negative.sum(axis=0))
        disagreement = min(abs(other - pixels), steps * step_px) / 2
        return Found(pixels=pixels, stderr_pixels=max(math.hypot(spread, disagreement), step_px / 10))

    def _judge(
        self, centres: npt.NDArray[np.float64]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
        """Return total variation and negative matter, each (row, trial)."""
        images = self._reconstruct(centres)
        size = self._columns
        first = max(0, (size - MAX_IMAGE_ROWS) // 2)
        band = images[first : size - first]
        offset = np.arange(size) - (size - 1) / 2
        inside = offset[first : size - first, None] ** 2 + offset[None, :] ** 2 < (RADIUS * size / 2) ** 2
        across = np.abs(np.diff(band, axis=1))[:-1][inside[:-1, :-1]]
        along = np.abs(np.diff(band, axis=0))[:, :-1][inside[:-1, :-1]]
        variation = (across + along).sum(axis=0, dtype=np.float64)
        negative = np.maximum(-band[inside], 0).sum(axis=0, dtype=np.float64)
        shape = (self._rows, len(centres))
        return variation.reshape(shape), negative.reshape(shape)

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
