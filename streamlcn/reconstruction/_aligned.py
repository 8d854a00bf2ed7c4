"""Rows moved below the pixel, for packages that expect the centre of rotation in one place."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import fft

from streamlcn.reconstruction._filter import EDGE_COLUMNS

__all__ = ["aligned_rows", "needed_columns"]


def needed_columns(columns: int, centre: float, padding: str) -> int:
    """Return a width that holds the rows with the axis in the middle, and what is assumed beside them."""
    reach = columns + 2 * math.ceil(abs(centre - (columns - 1) / 2)) + 4
    return reach + columns if padding == "edge" else reach


def aligned_rows(
    lines: npt.NDArray[np.float32],
    centre: float,
    width: int,
    target: float,
    padding: str,
    shifts: npt.NDArray[np.float64] | None = None,
    threads: int = 1,
) -> npt.NDArray[np.float32]:
    """Return (index, row, ``width``) rows whose column ``target`` is the column ``centre`` of ``lines``.

    Row k is read ``shifts[k]`` columns further to the right. Band-limited interpolation (a phase ramp); whole
    columns are moved exactly. Beyond the detector stand its edge values, or zeros; past ``width`` they run
    into each other, because the transform is periodic.
    """
    count, _, columns = lines.shape
    first = round(target - centre)
    fraction = centre + first - target + (np.zeros(count) if shifts is None else shifts)
    length = int(fft.next_fast_len(width + max(64, width // 4), real=True))
    padded = np.zeros((*lines.shape[:2], length), np.float32)
    padded[..., first : first + columns] = lines
    if padding == "edge":
        near = min(EDGE_COLUMNS, columns)
        left = lines[..., :near].mean(axis=-1, keepdims=True)
        right = lines[..., -near:].mean(axis=-1, keepdims=True)
        padded[..., :first] = left
        padded[..., first + columns : width] = right
        blend = np.linspace(0, 1, length - width, dtype=np.float32)
        padded[..., width:] = right + (left - right) * blend
    if np.abs(fraction).max() < 1e-9:
        return np.ascontiguousarray(padded[..., :width])
    ramp = np.exp(2j * np.pi * np.fft.rfftfreq(length) * fraction[:, np.newaxis]).astype(np.complex64)
    spectrum: npt.NDArray[Any] = fft.rfft(padded, axis=-1, overwrite_x=True, workers=threads)
    spectrum *= ramp[:, np.newaxis, :]
    moved = fft.irfft(spectrum, n=length, axis=-1, overwrite_x=True, workers=threads)
    return np.ascontiguousarray(moved[..., :width])
