"""One frame's pixels in one of the two types that travel: uint16 and float32."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from streamlcn.errors import UnreadableFrame
from streamlcn.model import Pixels

__all__ = ["as_pixels"]


def as_pixels(values: npt.NDArray[Any], where: str) -> Pixels:
    """Return ``values`` as (row, column) uint16 or float32, contiguous, without a copy where possible.

    uint8 and uint16 become uint16, every other real type float32 (counts above 2**24 are rounded). Leading
    axes of length 1 are dropped. Raises `UnreadableFrame`, naming ``where``, for anything else.
    """
    while values.ndim > 2 and values.shape[0] == 1:
        values = values[0]
    if values.ndim != 2 or 0 in values.shape:
        raise UnreadableFrame(f"{where} has shape {values.shape}; a frame is (row, column)")
    if values.dtype.kind not in "uif":
        raise UnreadableFrame(f"{where} holds {values.dtype}; pixels are real numbers")
    if values.dtype.kind == "u" and values.dtype.itemsize <= 2:
        return np.ascontiguousarray(values, np.uint16)
    return np.ascontiguousarray(values, np.float32)
