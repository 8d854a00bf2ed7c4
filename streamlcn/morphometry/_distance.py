"""Distances from everywhere to the nearest voxel of a network, slab by slab and yet exact."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit, prange

from streamlcn.morphometry._network import Network

__all__ = ["DistanceTally"]

_FAR = 2**30  # farther than any distance inside a volume of up to 18918 voxels an edge


class DistanceTally:
    """Count voxels by their squared distance to the nearest voxel of a network.

    The distance separates (Meijster et al. 2000): along z it follows from a list of the network's slices in
    each column, so that no slice needs another; within a slice two lower envelopes do the rest in linear
    time. Slabs must come in z order.
    """

    def __init__(self, network: Network) -> None:
        self._is_empty = network.size == 0
        self._columns, self._slices = _columns(network)
        self._next = self._columns[:-1].reshape(network.height, network.width).copy()
        self.counts = np.zeros(0, np.int64)

    def add(self, start: int, where: npt.NDArray[np.bool_]) -> None:
        """Count the voxels of ``where`` (z, y, x), first slice ``start``; none if the network is empty."""
        if self._is_empty:
            return
        squared = np.empty(where.shape, np.int32)
        _along_z(self._columns, self._slices, self._next, start, squared)
        _in_planes(squared, where)
        largest = _largest(squared, where)
        if largest < 0:
            return
        counts = _histogram(squared, where, max(int(largest) + 1, len(self.counts)))
        counts[: len(self.counts)] += self.counts
        self.counts = counts


@njit(cache=True)
def _columns(net: Any) -> Any:
    """Return where each column (y, x) begins in a list of slices, and that list."""
    first = np.zeros(net.height * net.width + 1, np.int64)
    for row in range(net.depth * net.height):
        y = row % net.height
        for run in range(net.rows[row], net.rows[row + 1]):
            x = net.start[run]
            for k in range(net.first[run + 1] - net.first[run]):
                first[y * net.width + x + k + 1] += 1
    first = np.cumsum(first)
    filled, slices = first[:-1].copy(), np.empty(net.first[-1], np.int32)
    for row in range(net.depth * net.height):
        y = row % net.height
        for run in range(net.rows[row], net.rows[row + 1]):
            x = net.start[run]
            for k in range(net.first[run + 1] - net.first[run]):
                column = y * net.width + x + k
                slices[filled[column]] = row // net.height
                filled[column] += 1
    return first, slices


@njit(parallel=True, cache=True)
def _along_z(columns: Any, slices: Any, following: Any, start: int, squared: Any) -> None:
    """Write the squared distance to the nearest slice in the column; ``following`` moves up the lists."""
    depth, height, width = squared.shape
    for y in prange(height):
        for z in range(start, start + depth):
            for x in range(width):
                low, high = columns[y * width + x], columns[y * width + x + 1]
                n = following[y, x]
                while n < high and slices[n] < z:
                    n += 1
                following[y, x] = n
                best = _FAR
                if n < high:
                    best = (slices[n] - z) * (slices[n] - z)
                if n > low:
                    best = min(best, (z - slices[n - 1]) * (z - slices[n - 1]))
                squared[z - start, y, x] = best


@njit(cache=True)
def _envelope(line: Any, sites: Any, starts: Any, out: Any) -> None:
    """Write the minimum over i of line[i] + (u - i)^2 to each u of ``out``."""
    n = line.shape[0]
    top = -1
    for u in range(n):
        if line[u] >= _FAR:
            continue
        start = 0
        while top >= 0:
            i = sites[top]
            cross = (u * u - i * i + line[u] - line[i]) // (2 * (u - i)) + 1
            if cross <= starts[top]:
                top -= 1
            else:
                start = max(cross, 0)
                break
        if top < 0:
            start = 0
        if start < n:
            top += 1
            sites[top] = u
            starts[top] = start
    if top < 0:
        out[:] = _FAR
        return
    for u in range(n - 1, -1, -1):
        while starts[top] > u:
            top -= 1
        out[u] = line[sites[top]] + (u - sites[top]) * (u - sites[top])


@njit(parallel=True, cache=True)
def _in_planes(squared: Any, where: Any) -> None:
    """Take the minimum along y and x, in rows that hold a voxel of ``where``."""
    depth, height, width = squared.shape
    for z in prange(depth):
        turned = np.empty((width, height), np.int32)  # columns lie side by side
        sites, starts = np.empty(max(height, width), np.int32), np.empty(max(height, width), np.int32)
        line = np.empty(max(height, width), np.int32)
        for y in range(height):
            for x in range(width):
                turned[x, y] = squared[z, y, x]
        for x in range(width):
            line[:height] = turned[x]
            _envelope(line[:height], sites, starts, turned[x])
        for y in range(height):
            is_needed = False
            for x in range(width):
                is_needed |= where[z, y, x]
            if is_needed:
                for x in range(width):
                    line[x] = turned[x, y]
                _envelope(line[:width], sites, starts, squared[z, y])


@njit(parallel=True, cache=True)
def _largest(squared: Any, where: Any) -> int:
    depth, height, width = squared.shape
    most = np.full(depth, -1, np.int64)
    for z in prange(depth):
        for y in range(height):
            for x in range(width):
                if where[z, y, x]:
                    most[z] = max(most[z], squared[z, y, x])
    return most.max()


@njit(cache=True)
def _histogram(squared: Any, where: Any, length: int) -> Any:
    out = np.zeros(length, np.int64)
    depth, height, width = squared.shape
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                if where[z, y, x]:
                    out[squared[z, y, x]] += 1
    return out
