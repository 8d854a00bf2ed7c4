"""Arrays and scalars from bytes whose sender nobody knows. numpy's own unpicklers are never fed."""

from __future__ import annotations

import re
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from streamlcn.documents._refused import refused

__all__ = ["array_from", "dtype_from", "scalar_from"]

_CODE = re.compile(r"[<>|=]?(\?|[biufcSU][0-9]{0,6})")
_MOST_DIMENSIONS = 8


def dtype_from(code: object, order: object = "") -> np.dtype[Any]:
    """Return a plain dtype of a code such as '<u2'; ``order`` ('<', '>', '|', '=') overrides its byte order.

    Refuses objects, structures, sub-arrays, dates and whatever else is not a number, a truth or a text.
    """
    if not isinstance(code, str) or not _CODE.fullmatch(code) or order not in ("", "<", ">", "|", "="):
        raise refused("unsafe", f"refused an array of dtype {str(code)[:60]!r}: only plain numbers and text")
    try:
        dtype = np.dtype(code)
    except (TypeError, ValueError) as error:
        raise refused("invalid", f"there is no dtype {code!r} ({error})") from error
    if order in ("<", ">"):
        return dtype.newbyteorder("<" if order == "<" else ">")
    return dtype


def array_from(
    data: object, dtype: np.dtype[Any], shape: object, *, is_fortran: bool = False
) -> npt.NDArray[Any]:
    """Return a read-only view of ``data``, not copied, as an array of exactly that shape."""
    if not isinstance(data, bytes | bytearray | memoryview):
        raise refused("unsafe", f"refused an array whose data are a {type(data).__name__}, not bytes")
    sizes = _sizes(shape)
    if dtype.itemsize == 0:
        raise refused("invalid", f"refused an array of {dtype}, whose elements have no size")
    wanted = prod(sizes) * dtype.itemsize
    if wanted != len(data):
        raise refused("invalid", f"an array {sizes} of {dtype} needs {wanted} bytes but has {len(data)}")
    if wanted == 0:
        return np.zeros(sizes, dtype)
    flat = np.frombuffer(data, dtype)
    flat.setflags(write=False)
    return flat.reshape(sizes, order="F" if is_fortran else "C")


def scalar_from(data: object, dtype: np.dtype[Any]) -> Any:
    """Return one numpy scalar."""
    if not isinstance(data, bytes) or len(data) != dtype.itemsize:
        raise refused("invalid", f"a {dtype} scalar needs {dtype.itemsize} bytes")
    if dtype.itemsize == 0:
        return dtype.type()
    return np.frombuffer(data, dtype)[0]


def _sizes(shape: object) -> tuple[int, ...]:
    if isinstance(shape, int) and not isinstance(shape, bool):
        shape = (shape,)
    if not isinstance(shape, tuple | list) or len(shape) > _MOST_DIMENSIONS:
        raise refused("invalid", "the shape of an array is at most eight whole numbers")
    if not all(type(size) is int and 0 <= size < 2**40 for size in shape):
        raise refused("invalid", f"{str(shape)[:80]} is not the shape of an array")
    return tuple(shape)
