"""The ramp filter, from its kernel in space so that values are right and not only shapes.

Source: Kak and Slaney, Principles of Computerized Tomographic Imaging (1988), equation 61 of chapter 3.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import fft

from streamlcn.reconstruction._kernel import transpose
from streamlcn.reconstruction.settings import FilterName

__all__ = ["FilterGeometry", "RowFilter", "ramp_response"]

EDGE_COLUMNS = 5
"""Columns averaged into the value that stands beyond the detector."""

WINDOW_LENGTHS = 8
"""Rows' lengths over which a window is laid."""

SPARE_COLUMNS = 3
"""Columns at either end of a filtered row that only keep back-projection from reading beyond it: the image
has nothing there, and the filter may wrap round."""

WRAPPED_SHARE = 64
"""One over the share of the columns that the filter may take for their mirror image: for an axis so near the
middle, a row is twice as long as the detector is wide, a power of two as a rule. The kernel at lag N + s is
then that at N - s, which adds less than 4 s^2 / (pi^2 N^3) of what the sample shows at the far border: 1e-6.
"""

WINDOWS: dict[FilterName, Callable[[Any], Any]] = {
    "ramlak": np.ones_like,
    "shepp": np.sinc,
    "cosine": lambda f: np.cos(np.pi * f),
    "hamming": lambda f: 0.54 + 0.46 * np.cos(2 * np.pi * f),
    "hann": lambda f: 0.5 + 0.5 * np.cos(2 * np.pi * f),
}


def ramp_response(length: int, window: FilterName) -> npt.NDArray[np.float64]:
    """Return the real frequency response (length // 2 + 1,) of the windowed ramp, for columns of width 1.

    That of its kernel in space as far as it fits into ``length``. A window is put on the ramp of a much
    longer row, so that what its kernel has farther away is left out and does not wrap round.
    """
    kernel = _ramp(length)
    if window != "ramlak":
        frequency = np.fft.rfftfreq(WINDOW_LENGTHS * length)
        longer = np.fft.rfft(_ramp(WINDOW_LENGTHS * length)).real * WINDOWS[window](frequency)
        kernel = np.fft.irfft(longer, n=WINDOW_LENGTHS * length)[_lags(length)]
    response: npt.NDArray[np.float64] = np.fft.rfft(kernel).real
    return response


def _ramp(length: int) -> npt.NDArray[np.float64]:
    """Return the kernel of the band-limited ramp, column 0 first, negative lags at the end."""
    lag = _lags(length)
    kernel = np.zeros(length)
    odd = lag % 2 == 1
    kernel[odd] = -1 / (np.pi * lag[odd]) ** 2
    kernel[0] = 0.25
    return kernel


def _lags(length: int) -> npt.NDArray[np.int64]:
    lag = np.arange(length)
    return np.minimum(lag, length - lag)


@dataclass(frozen=True, slots=True)
class FilterGeometry:
    """Where a padded row begins and ends.

    ``margin`` columns are kept before column 0 and after the last, because the image's circle reaches beyond
    the detector when the axis is not in its middle; rows of ``columns`` begin at ``first`` of ``length``.
    """

    columns: int
    margin: int
    length: int
    first: int

    @classmethod
    def around(cls, columns: int, centre: float) -> FilterGeometry:
        """Return the geometry for an axis at ``centre``."""
        beyond = math.ceil(abs(centre - (columns - 1) / 2))
        margin = beyond + SPARE_COLUMNS
        without_wrap = 2 * (columns + max(0, beyond - columns // WRAPPED_SHARE))
        length = int(fft.next_fast_len(without_wrap, real=True))
        return cls(columns, margin, length, (length - columns) // 2)

    @property
    def window(self) -> slice:
        """Columns of the padded row that back-projection can meet."""
        return slice(self.first - self.margin, self.first + self.columns + self.margin)


class RowFilter:
    """Filters one projection at a time, always in the same shape, so that bits never depend on grouping."""

    def __init__(self, geometry: FilterGeometry, window: FilterName, padding: str) -> None:
        self.geometry = geometry
        self._repeat_edges = padding == "edge"
        self._response = ramp_response(geometry.length, window).astype(np.float32)[:, np.newaxis]

    def __call__(self, lines: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return (column + 2 margin, row) float32, filtered, from line integrals (row, column)."""
        rows, columns = lines.shape
        first, last = self.geometry.first, self.geometry.first + columns
        padded = np.empty((self.geometry.length, rows), np.float32)
        transpose(lines, padded[first:last])
        if self._repeat_edges:
            near = min(EDGE_COLUMNS, columns)
            padded[:first] = padded[first : first + near].mean(axis=0)
            padded[last:] = padded[last - near : last].mean(axis=0)
        else:
            padded[:first] = padded[last:] = 0
        spectrum = fft.rfft(padded, axis=0)
        spectrum.view(np.float32)[:] *= self._response  # real and imaginary parts alike
        filtered = fft.irfft(spectrum, n=self.geometry.length, axis=0, overwrite_x=True)
        kept: npt.NDArray[np.float32] = filtered[self.geometry.window]
        return kept
