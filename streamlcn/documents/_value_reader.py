"""Numbers in a detector's or encoder's file, read as soon as they are written."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from math import prod
from pathlib import Path

import numpy as np

from streamlcn.documents._angles import ReadValues
from streamlcn.documents._assets import FileValues
from streamlcn.errors import UnreadableFrame

__all__ = ["length_of", "make_value_reader"]


def make_value_reader(
    *,
    timeout_s: float = 10.0,
    poll_s: float = 0.02,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> ReadValues:
    """Return what reads angles out of HDF5 files for an `Assembler`.

    It waits up to ``timeout_s`` for numbers that were announced, with SWMR or by opening the file again, and
    then raises `UnreadableFrame`.
    """

    def read(values: FileValues) -> Sequence[float]:
        started = clock()
        while True:
            found = _look(values, swmr=values.swmr)
            if isinstance(found, str):
                found = _look(values, swmr=not values.swmr)
            if not isinstance(found, str):
                return found
            if clock() - started >= timeout_s:
                raise UnreadableFrame(
                    f"angles {values.start} to {values.stop} should be in {values.path}:{values.dataset}, "
                    f"but after {timeout_s:g} s: {found}"
                )
            sleep(poll_s)

    return read


def length_of(path: Path, dataset: str) -> int | None:
    """Return how many frames (or numbers) a dataset holds now; None where it cannot be read."""
    import h5py

    for options in ({"libver": "latest", "swmr": True}, {"locking": False}):
        with suppress(OSError, KeyError), h5py.File(path, "r", **options) as file:
            data = file[dataset]
            if isinstance(data, h5py.Dataset) and data.ndim:
                return prod(data.shape[:-2]) if data.ndim > 2 else int(data.shape[0])
    return None


def _look(values: FileValues, *, swmr: bool) -> list[float] | str:
    """Return the numbers, or why they are not there."""
    import h5py

    options = {"libver": "latest", "swmr": True} if swmr else {"locking": False}
    try:
        with h5py.File(values.path, "r", **options) as file:
            data = file[values.dataset]
            if not isinstance(data, h5py.Dataset) or data.ndim < 1 or data.dtype.kind not in "uif":
                raise UnreadableFrame(f"{values.path}:{values.dataset} holds no list of numbers")
            if data.shape[0] < values.stop:
                return f"it holds {data.shape[0]} numbers"
            found = np.asarray(data[values.start : values.stop], np.float64)
    except (OSError, KeyError) as error:
        return str(error).strip("'\"")
    if found.size != len(found):
        raise UnreadableFrame(
            f"{values.path}:{values.dataset} holds {found.shape[1:]} numbers for each frame"
        )
    return [float(value) for value in found.reshape(-1)]
