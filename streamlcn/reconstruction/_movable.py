"""A volume that begins again on the CPU when its device has no memory left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from streamlcn.errors import ReconstructionFailed
from streamlcn.reconstruction._accumulator import Accumulator, Projected
from streamlcn.shortage import Shortage, announce, free_cache, is_shortage, still_at

__all__ = ["MovableAccumulator", "add_again"]

_T = TypeVar("_T")
_AT_A_TIME = 24


def add_again(volume: Accumulator, projections: Sequence[Projected]) -> None:
    """Add all that another volume had to this one, which is empty; the heart of the stage beats."""
    for first in range(0, len(projections), _AT_A_TIME):
        volume.add(projections[first : first + _AT_A_TIME])
        still_at("reconstruct")


class MovableAccumulator:
    """An `Accumulator` made by ``make(device)``; ``device`` says where it is.

    All that was added is remembered, without its pixels. After a move it is added again, from the first on,
    to an empty volume: what was half done on the device is never counted, and the bits are those of a
    volume that was on the CPU from the start. Raises `ReconstructionFailed` when the CPU has no memory.
    """

    def __init__(self, make: Callable[[str], Accumulator], device: str) -> None:
        self._make, self.device = make, device
        self._added: list[Projected] = []
        self._here: Accumulator | None = None
        self._try(lambda _: None)

    @property
    def slab_rows(self) -> int:
        """Slices per slab that suit the kernel; another number after a move."""
        return self._try(lambda here: here.slab_rows)

    def add(self, projections: Sequence[Projected]) -> None:
        self._try(lambda here: here.add(projections))
        self._added += projections

    def clear(self) -> None:
        self._added.clear()
        self._try(lambda here: here.clear())

    def slab(self, z_start: int, z_stop: int, scale: float) -> npt.NDArray[np.float32]:
        return self._try(lambda here: here.slab(z_start, z_stop, scale))

    def plane(self, axis: int, index: int, scale: float) -> npt.NDArray[np.float32]:
        return self._try(lambda here: here.plane(axis, index, scale))

    def close(self) -> None:
        self._added.clear()
        if self._here is not None:
            self._here.close()
        self._here = None

    def _try(self, work: Callable[[Accumulator], _T]) -> _T:
        if self.device != "cpu":
            try:
                return work(self._ready())
            except Exception as error:
                if not is_shortage(error):
                    raise
                why = str(error)
            self._move(why)
        try:
            return work(self._ready())
        except Exception as error:
            if not is_shortage(error):
                raise
            raise ReconstructionFailed(
                f"the volume does not fit into the memory of this computer ({error}): reconstruct less of "
                "the detector or larger voxels (reconstruction.correction.crop, binning), or add memory"
            ) from error

    def _ready(self) -> Accumulator:
        """Return the volume, with all in it that was added."""
        if self._here is None:
            here = self._make(self.device)
            add_again(here, self._added)
            self._here = here
        return self._here

    def _move(self, why: str) -> None:
        if self._here is not None:
            self._here.close()
        self._here = None
        free_cache()
        done = "the volume was made on the CPU, more slowly"
        announce(Shortage("reconstruct", self.device, done), why)
        self.device = "cpu"
