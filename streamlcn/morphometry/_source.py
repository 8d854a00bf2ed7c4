"""Labels that come slab by slab, checked as they pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streamlcn.errors import BadInput
from streamlcn.morphometry._check import as_labels, known_values
from streamlcn.progress import Progress, unheard

__all__ = ["LabelSource", "Read", "source_of_array", "source_of_reader"]

Read = Callable[[int, int], npt.ArrayLike]
"""``read(start, stop)`` returns slices start to stop of a volume, (z, y, x)."""

_LONGEST = 18000  # voxels: squared distances inside such a volume fit into 30 bits
_SLAB_VOXELS = 2**23  # of a volume at hand: little beside it, and enough for the overhead not to count


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSource:
    """Labels of ``shape`` (z, y, x), uint8 of `Label` values; ``height`` slices are held at a time."""

    shape: tuple[int, int, int]
    height: int
    _read: Read
    _known: Mapping[int, int]

    def slices(self, start: int, stop: int) -> npt.NDArray[np.uint8]:
        """Return slices ``start`` to ``stop``; raises `BadInput` for what are no labels."""
        out = as_labels(self._read(start, stop), self._known)
        expected = (stop - start, *self.shape[1:])
        if out.shape != expected:
            raise BadInput(f"slices {start} to {stop} have shape {out.shape}; {expected} was announced")
        return out

    def bounds(self, tell: Progress = unheard) -> Iterator[tuple[int, int]]:
        """Yield start and stop of each slab in z order; tell the share of slices that were used."""
        for start in range(0, self.shape[0], self.height):
            stop = min(start + self.height, self.shape[0])
            yield start, stop
            tell(stop / self.shape[0])


def source_of_array(labels: npt.NDArray[np.generic], classes: Mapping[str, int] | None) -> LabelSource:
    """Return a volume at hand as a source."""
    depth, height, width = _checked_shape(labels.shape)
    return LabelSource(
        shape=(depth, height, width),
        height=max(1, _SLAB_VOXELS // (height * width)),
        _read=lambda start, stop: labels[start:stop],
        _known=known_values(classes),
    )


def source_of_reader(
    read: Read, shape: tuple[int, int, int], height: int, classes: Mapping[str, int] | None
) -> LabelSource:
    """Return a volume that is read in slabs of ``height`` slices as a source."""
    if height < 1:
        raise BadInput(f"slab_height {height} is not at least 1 slice")
    return LabelSource(shape=_checked_shape(shape), height=height, _read=read, _known=known_values(classes))


def _checked_shape(shape: tuple[int, ...]) -> tuple[int, int, int]:
    if len(shape) != 3 or min(shape) < 1:
        raise BadInput(f"label volume has shape {shape}: three axes (z, y, x), none empty, are needed")
    if max(shape) > _LONGEST:
        raise BadInput(f"label volume has shape {shape}: {_LONGEST} voxels an edge are the limit")
    z, y, x = (int(n) for n in shape)
    return z, y, x
