"""A pore network as runs of voxels along x: memory and time grow with the network, not with its volume.

Pores fill a few per cent of bone. Everything that concerns pore voxels only (distances to their outside,
thickness, lacunae, cells, centre lines) is computed on this form, so it does not matter whether the volume
was at hand as a whole or came in slabs.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit, prange

__all__ = ["Network", "NetworkBuilder", "around", "around_place", "at", "locate", "network_of", "run_at"]


class Network(NamedTuple):
    """Voxels of a (z, y, x) volume, numbered in C order and stored as runs along x.

    ``rows``: (depth * height + 1) int64, where the runs of row z * height + y begin; ``start``: first x of
    each run, int32; ``first``: number of its first voxel, int64, with the total at the end.
    """

    rows: npt.NDArray[np.int64]
    start: npt.NDArray[np.int32]
    first: npt.NDArray[np.int64]
    depth: int
    height: int
    width: int

    @property
    def size(self) -> int:
        """Number of voxels."""
        return int(self.first[-1])

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape of the volume."""
        return self.depth, self.height, self.width

    def places(self) -> npt.NDArray[np.int64]:
        """Return the C index in the volume of each voxel."""
        out: npt.NDArray[np.int64] = _places(self)
        return out

    def dense(
        self, values: npt.NDArray[Any] | None = None, low: int = 0, high: int | None = None
    ) -> npt.NDArray[Any]:
        """Return slices ``low`` to ``high``: ``values`` (one a voxel), or True without them; 0 outside.

        Slices beyond the volume are 0.
        """
        high = self.depth if high is None else high
        data = np.ones(1, np.bool_) if values is None else values
        out = np.zeros((high - low, self.height, self.width), data.dtype)
        _fill(self, data, values is None, low, out)
        return out

    def box(self, values: npt.NDArray[Any], box: tuple[slice, slice, slice]) -> npt.NDArray[Any]:
        """Return ``values`` in a box inside the volume, 0 outside the network."""
        out = np.zeros(tuple(s.stop - s.start for s in box), values.dtype)
        _fill_box(self, values, box[0].start, box[1].start, box[2].start, out)
        return out

    def part(self, keep: npt.NDArray[np.bool_]) -> tuple[Network, npt.NDArray[np.int64]]:
        """Return the network of the voxels to ``keep``, and their numbers here."""
        rows, start, first = _part(self, keep)
        return Network(rows, start, first, *self.shape), np.flatnonzero(keep)

    def part_of_runs(self, keep: npt.NDArray[np.bool_]) -> Network:
        """Return the network of the runs to ``keep``."""
        ends = np.concatenate([np.zeros(1, np.int64), np.cumsum(keep)])
        lengths = np.diff(self.first)[keep]
        first = np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths)])
        return Network(ends[self.rows], self.start[keep], first, *self.shape)

    def run_of_voxels(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the value of its run for each voxel."""
        return np.repeat(values, np.diff(self.first))


class NetworkBuilder:
    """Gather a network from boolean slabs in z order."""

    def __init__(self) -> None:
        self._counts: list[npt.NDArray[np.int64]] = []
        self._start: list[npt.NDArray[np.int32]] = []
        self._length: list[npt.NDArray[np.int32]] = []

    def add(self, slab: npt.NDArray[np.bool_]) -> None:
        """Append the next slices (z, y, x)."""
        counts = np.zeros(slab.shape[0] * slab.shape[1], np.int64)
        flat = slab.reshape(-1, slab.shape[2])
        _count_runs(flat, counts)
        ends = np.cumsum(counts)
        total = int(ends[-1]) if len(ends) else 0
        start, length = np.empty(total, np.int32), np.empty(total, np.int32)
        _write_runs(flat, ends - counts, start, length)
        self._counts.append(counts)
        self._start.append(start)
        self._length.append(length)

    def network(self, shape: tuple[int, int, int]) -> Network:
        """Return what was added, a volume of ``shape``."""
        zero = [np.zeros(1, np.int64)]
        rows = np.cumsum(np.concatenate(zero + self._counts))
        first = np.cumsum(np.concatenate(zero + [length.astype(np.int64) for length in self._length]))
        start = np.concatenate([np.zeros(0, np.int32), *self._start])
        return Network(rows, start, first, *shape)


def network_of(mask: npt.NDArray[np.bool_] | Iterable[npt.NDArray[np.bool_]]) -> Network:
    """Return the network of a (z, y, x) mask, or of slabs of one in z order."""
    builder, depth, plane = NetworkBuilder(), 0, (0, 0)
    for slab in (mask,) if isinstance(mask, np.ndarray) else mask:
        builder.add(slab)
        depth, plane = depth + len(slab), (slab.shape[1], slab.shape[2])
    return builder.network((depth, *plane))


@njit(parallel=True, cache=True)
def _count_runs(flat: Any, counts: Any) -> None:
    for row in prange(flat.shape[0]):
        count, before = 0, False
        for x in range(flat.shape[1]):
            value = flat[row, x]
            if value and not before:
                count += 1
            before = value
        counts[row] = count


@njit(parallel=True, cache=True)
def _write_runs(flat: Any, offset: Any, start: Any, length: Any) -> None:
    width = flat.shape[1]
    for row in prange(flat.shape[0]):
        n, x = offset[row], 0
        while x < width:
            if flat[row, x]:
                low = x
                while x < width and flat[row, x]:
                    x += 1
                start[n], length[n] = low, x - low
                n += 1
            x += 1


@njit(cache=True)
def _places(net: Any) -> Any:
    out = np.empty(net.first[-1], np.int64)
    for row in range(net.depth * net.height):
        for run in range(net.rows[row], net.rows[row + 1]):
            shift = row * net.width + net.start[run] - net.first[run]
            for n in range(net.first[run], net.first[run + 1]):
                out[n] = shift + n
    return out


@njit(cache=True)
def _fill(net: Any, values: Any, is_constant: bool, low: int, out: Any) -> None:
    height = net.height
    for z in range(max(low, 0), min(low + out.shape[0], net.depth)):
        for y in range(height):
            for run in range(net.rows[z * height + y], net.rows[z * height + y + 1]):
                x = net.start[run]
                for n in range(net.first[run], net.first[run + 1]):
                    out[z - low, y, x] = values[0 if is_constant else n]
                    x += 1


@njit(cache=True)
def _fill_box(net: Any, values: Any, z0: int, y0: int, x0: int, out: Any) -> None:
    depth, height, width = out.shape
    for z in range(depth):
        for y in range(height):
            row = (z + z0) * net.height + y + y0
            for run in range(net.rows[row], net.rows[row + 1]):
                shift = net.first[run] - net.start[run] + x0
                stop = net.start[run] + net.first[run + 1] - net.first[run] - x0
                for x in range(max(net.start[run] - x0, 0), min(stop, width)):
                    out[z, y, x] = values[shift + x]


@njit(cache=True)
def _part(net: Any, keep: Any) -> Any:
    rows = np.zeros(net.rows.shape[0], np.int64)
    runs, before = 0, False
    for run in range(net.start.shape[0]):
        before = False
        for n in range(net.first[run], net.first[run + 1]):
            if keep[n] and not before:
                runs += 1
            before = keep[n]
    start, first = np.empty(runs, np.int32), np.zeros(runs + 1, np.int64)
    at_run, voxels = 0, 0
    for row in range(net.rows.shape[0] - 1):
        for run in range(net.rows[row], net.rows[row + 1]):
            before = False
            for n in range(net.first[run], net.first[run + 1]):
                if keep[n]:
                    if not before:
                        start[at_run] = net.start[run] + n - net.first[run]
                        first[at_run] = voxels
                        at_run += 1
                    voxels += 1
                before = keep[n]
        rows[row + 1] = at_run
    first[runs] = voxels
    return rows, start, first


@njit(cache=True)
def run_at(net: Any, row: int, x: int) -> int:
    """Return the last run of a row that begins at or before ``x``; the one before its first if none does."""
    low, high = net.rows[row], net.rows[row + 1]
    while low < high:
        middle = (low + high) // 2
        if net.start[middle] <= x:
            low = middle + 1
        else:
            high = middle
    return low - 1


@njit(cache=True)
def at(net: Any, row: int, x: int) -> int:
    """Return the number of the voxel at ``x`` in a row, -1 outside the network."""
    run = run_at(net, row, x)
    if run < net.rows[row]:
        return -1
    n = net.first[run] + x - net.start[run]
    return n if n < net.first[run + 1] else -1


@njit(cache=True)
def around(net: Any, z: int, y: int, x: int, out: Any) -> None:
    """Write the numbers of the 3x3x3 voxels about one to ``out`` (27, in C order); -1 where there is none."""
    for k in range(27):
        out[k] = -1
    for a in range(max(z - 1, 0), min(z + 2, net.depth)):
        for b in range(max(y - 1, 0), min(y + 2, net.height)):
            row = a * net.height + b
            here = ((a - z + 1) * 3 + b - y + 1) * 3
            run = run_at(net, row, x + 1)
            while run >= net.rows[row]:
                end = net.start[run] + net.first[run + 1] - net.first[run]
                if end <= x - 1:
                    break
                for c in range(max(net.start[run], x - 1), min(end, x + 2)):
                    out[here + c - x + 1] = net.first[run] + c - net.start[run]
                run -= 1


@njit(cache=True)
def around_place(net: Any, place: int, out: Any) -> None:
    """Do as `around` for the voxel with a C index."""
    around(net, place // (net.height * net.width), place // net.width % net.height, place % net.width, out)


@njit(cache=True)
def locate(net: Any, other: Any) -> Any:
    """Return for each voxel of ``other`` its number in ``net``, -1 where it is not there."""
    out = np.empty(other.first[-1], np.int64)
    for row in range(other.depth * other.height):
        for run in range(other.rows[row], other.rows[row + 1]):
            x = other.start[run]
            for n in range(other.first[run], other.first[run + 1]):
                out[n] = at(net, row, x)
                x += 1
    return out
