"""The ramp filter, from its kernel in space so that values are right and not only shapes.

Source: Kak and Slaney, Principles of Computerized Tomographic Imaging (1988), equation 61 of chapter 3.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy import fft

from streamlcn.reconstruction.settings import FilterName

__all__ = ["RowFilter", "ramp_response"]

EDGE_COLUMNS = 5
"""Columns averaged into the value that stands beyond the detector."""

WINDOWS: dict[FilterName, Callable[[Any], Any]] = {
    "ramlak": np.ones_like,
    "shepp": np.sinc,
    "cosine": lambda f: np.cos(np.pi * f),
    "hamming": lambda f: 0.54 + 0.46 * np.cos(2 * np.pi * f),
    "hann": lambda f: 0.5 + 0.5 * np.cos(2 * np.pi * f),
}


def ramp_response(length: int, window: FilterName) -> npt.NDArray[np.float64]:
    """Return the real frequency response (length // 2 + 1,) of the windowed ramp, for columns of width 1."""
    lag = np.arange(length)
    lag = np.minimum(lag, length - lag)
    kernel = np.zeros(length)
    odd = lag % 2 == 1
    kernel[odd] = -1 / (np.pi * lag[odd]) ** 2
    kernel[0] = 0.25
    response: npt.NDArray[np.float64] = np.fft.rfft(kernel).real * WINDOWS[window](np.fft.rfftfreq(length))
    return response


class RowFilter:
    """Filters the rows of one projection at a time, always in the same shape, so that bits never depend on
    how projections were grouped.

    Parameters
    ----------
    columns, centre
        Width of the detector and axis of rotation in pixels.
    window, padding
        Window on the ramp; what is assumed beyond the detector.
    device
        Where the transform runs and the result stays.

    Attributes
    ----------
    margin
        Columns before column 0 (and after the last) in the result: the image's circle reaches beyond the
        detector when the axis is not in its middle.
    """

    def __init__(
        self, columns: int, centre: float, window: FilterName, padding: str, device: torch.device
    ) -> None:
        self.margin = math.ceil(abs(centre - (columns - 1) / 2)) + 3
        self._columns = columns
        self._length = fft.next_fast_len(2 * (columns + self.margin), real=True)
        self._first = (self._length - columns) // 2
        self._repeat_edges = padding == "edge"
        self._device = device
        response = ramp_response(self._length, window).astype(np.float32)
        self._response = torch.from_numpy(response).to(device)

    def __call__(self, lines: npt.NDArray[np.float32]) -> torch.Tensor:
        """Return (row, column + 2 margin) float32 from line integrals (row, column)."""
        rows, columns = lines.shape
        first, last = self._first, self._first + columns
        padded = torch.zeros((rows, self._length), dtype=torch.float32, device=self._device)
        padded[:, first:last] = torch.from_numpy(lines).to(self._device)
        if self._repeat_edges:
            near = min(EDGE_COLUMNS, columns)
            padded[:, :first] = padded[:, first : first + near].mean(dim=1, keepdim=True)
            padded[:, last:] = padded[:, last - near : last].mean(dim=1, keepdim=True)
        spectrum = torch.fft.rfft(padded)
        spectrum *= self._response
        filtered = torch.fft.irfft(spectrum, n=self._length)
        return filtered[:, first - self.margin : last + self.margin]
