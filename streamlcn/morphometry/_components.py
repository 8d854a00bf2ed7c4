"""Connected components, of a whole volume or of one that comes slab by slab."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import cc3d
import numpy as np
import numpy.typing as npt
from numba import njit

from streamlcn.errors import BadInput
from streamlcn.morphometry._check import checked_mask

__all__ = ["UnionFind", "components", "components_of_slabs", "components_streamed", "label", "sizes"]

_Sizes = npt.NDArray[np.int64]


def label(mask: npt.NDArray[np.bool_], connectivity: int) -> tuple[npt.NDArray[Any], int]:
    """Return the components numbered from 1 in order of their first voxel, and their count."""
    if connectivity not in (6, 26):
        raise BadInput(f"connectivity {connectivity} is not 6 or 26")
    if sorted(mask.shape)[1] == 1:  # cc3d 4.1 finds too little room for a single line of voxels
        padded, count = label(np.pad(mask, 1), connectivity)
        return np.ascontiguousarray(padded[1:-1, 1:-1, 1:-1]), count
    out, count = cc3d.connected_components(mask, connectivity=26 if connectivity == 26 else 6, return_N=True)
    return out, int(count)


def sizes(labelled: npt.NDArray[Any], count: int) -> _Sizes:
    """Return voxels of each label, 0 (outside) included."""
    out: _Sizes = _sizes(labelled.reshape(-1), count)
    return out


@njit(cache=True)
def _sizes(flat: Any, count: int) -> Any:
    out = np.zeros(count + 1, np.int64)
    for value in flat:
        out[value] += 1
    return out


def components(mask: npt.ArrayLike, connectivity: int) -> _Sizes:
    """Return the sizes in voxels of the 6- or 26-connected components of (z, y, x) ``mask``.

    In order of their first voxel. Raises `BadInput` for another connectivity or a mask that is not boolean.
    """
    return sizes(*label(checked_mask(mask), connectivity))[1:]


def components_streamed(mask: npt.ArrayLike, slab_height: int) -> _Sizes:
    """Return the same sizes as ``components(mask, 26)``, in the same order, looking at one slab at a time."""
    array = np.asarray(mask)
    if slab_height < 1:
        raise BadInput(f"slab_height {slab_height} is not at least 1 slice")
    return components_of_slabs(
        checked_mask(array[z : z + slab_height]) for z in range(0, len(array), slab_height)
    )


def components_of_slabs(slabs: Iterable[npt.NDArray[np.bool_]]) -> _Sizes:
    """Return sizes of the 26-connected components of a volume that comes as slabs in z order.

    Holds one slab and the last slice of the one before; memory beyond that grows with the number of
    components only.
    """
    union, counts = UnionFind(), [np.zeros(0, np.int64)]
    below: npt.NDArray[np.int64] | None = None
    for slab in slabs:
        labelled, count = label(slab, 26)
        offset = union.add(count)
        counts.append(sizes(labelled, count)[1:])
        first = _numbered(labelled[0], offset)
        if below is not None:
            for a, b in touching_pairs(below, first):
                union.join(int(a), int(b))
        below = _numbered(labelled[-1], offset)
    roots = union.roots()
    totals = np.zeros(len(roots), np.int64)
    np.add.at(totals, roots, np.concatenate(counts))
    return totals[totals > 0]


def _numbered(plane: npt.NDArray[Any], offset: int) -> npt.NDArray[np.int64]:
    """Return numbers over the whole stream, from 0; -1 outside."""
    return np.where(plane > 0, plane.astype(np.int64) + (offset - 1), -1)


def touching_pairs(below: npt.NDArray[np.int64], above: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the distinct pairs of numbers that touch across two slices, by face, edge or corner."""
    padded = np.pad(below, 1, constant_values=-1)
    height, width = above.shape
    found = []
    for dy in range(3):
        for dx in range(3):
            other = padded[dy : dy + height, dx : dx + width]
            both = (other >= 0) & (above >= 0)
            found.append(np.stack([other[both], above[both]], axis=1))
    return np.unique(np.concatenate(found), axis=0)


@dataclass(slots=True)
class UnionFind:
    """Sets of numbers that grow together; the smallest number speaks for its set."""

    _parent: list[int]

    def __init__(self) -> None:
        self._parent = []

    def add(self, count: int) -> int:
        """Add ``count`` sets of one; return the number of the first."""
        first = len(self._parent)
        self._parent.extend(range(first, first + count))
        return first

    def find(self, n: int) -> int:
        """Return the smallest number of the set of ``n``."""
        parent = self._parent
        while parent[n] != n:
            parent[n] = parent[parent[n]]
            n = parent[n]
        return n

    def join(self, a: int, b: int) -> None:
        """Make one set of two."""
        low, high = sorted((self.find(a), self.find(b)))
        self._parent[high] = low

    def roots(self) -> npt.NDArray[np.int64]:
        """Return the speaker of every number."""
        return np.array([self.find(n) for n in range(len(self._parent))], np.int64)
