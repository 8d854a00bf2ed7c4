"""Squared Euclidean distances in whole voxels: inside a thin mask, and from everywhere to a set."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit, prange

from streamlcn.errors import BadInput

__all__ = ["inner_squared_distance", "squared_distance_histogram"]

_FAR = 2**30  # farther than any distance inside a volume that fits into memory


def inner_squared_distance(mask: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
    """Return, for each voxel of ``mask``, the squared distance to the nearest voxel centre outside it.

    Shape (z, y, x), uint16, or uint32 where distances demand it; 0 outside. The faces of the volume bound
    nothing. Raises `BadInput` if the mask fills the volume.
    """
    if mask.all():
        raise BadInput("the mask fills the whole volume: without a voxel outside it no distance is defined")
    for dtype in (np.uint16, np.uint32):
        far = int(np.iinfo(dtype).max)
        in_plane = np.zeros(mask.shape, dtype)
        _plane_pass(mask, in_plane, far)
        out = np.zeros(mask.shape, dtype)
        if not _stack_pass(in_plane, out, far):
            return out
    raise BadInput(f"distances in a volume of shape {mask.shape} do not fit into 32 bits")


@njit(parallel=True, cache=True)
def _plane_pass(mask: Any, out: Any, far: int) -> None:  # noqa: C901  one kernel: no calls in loops
    depth, height, width = mask.shape
    for z in prange(depth):
        row = np.full((height, width), far, np.int64)
        for y in range(height):
            last = -1
            for x in range(width):
                if not mask[z, y, x]:
                    row[y, x] = 0
                    last = x
                elif last >= 0:
                    row[y, x] = min((x - last) ** 2, far)
            last = -1
            for x in range(width - 1, -1, -1):
                if not mask[z, y, x]:
                    last = x
                elif last >= 0:
                    row[y, x] = min(row[y, x], (last - x) ** 2)
        for y in range(height):
            for x in range(width):
                if mask[z, y, x]:
                    best = row[y, x]
                    for step in (-1, 1):
                        d = 1
                        while 0 <= y + step * d < height and d * d < best:
                            best = min(best, row[y + step * d, x] + d * d)
                            d += 1
                    out[z, y, x] = min(best, far)


@njit(parallel=True, cache=True)
def _stack_pass(in_plane: Any, out: Any, far: int) -> bool:
    """Take the minimum along z; return whether a value was too large for the type."""
    depth, height, width = in_plane.shape
    saturated = np.zeros(depth, np.uint8)
    for z in prange(depth):
        for y in range(height):
            for x in range(width):
                best = np.int64(in_plane[z, y, x])
                if best == 0:
                    continue
                for step in (-1, 1):
                    d = 1
                    while 0 <= z + step * d < depth and d * d < best:
                        best = min(best, np.int64(in_plane[z + step * d, y, x]) + d * d)
                        d += 1
                if best >= far:
                    saturated[z] = 1
                out[z, y, x] = best
    return bool(saturated.any())


def squared_distance_histogram(
    target: npt.NDArray[np.bool_], where: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """Return how many voxels of ``where`` lie at each squared distance from the nearest ``target`` voxel.

    Exact distances in linear time by lower envelopes (Meijster et al. 2000). Empty if ``target`` is.
    """
    if not target.any():
        return np.zeros(0, np.int64)
    squared = np.empty(target.shape, np.int32)
    _outer_planes(target, squared)
    _outer_stack(squared)
    return _histogram(squared, where, _largest(squared, where) + 1)


@njit(cache=True, inline="never")
def _envelope(line: Any, sites: Any, starts: Any, out: Any) -> None:
    """Replace ``line`` by the minimum over i of line[i] + (u - i)^2; ``out`` may not be ``line``."""
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
        out[u] = line[sites[top]] + (u - sites[top]) ** 2


@njit(parallel=True, cache=True)
def _outer_planes(target: Any, squared: Any) -> None:  # noqa: C901  one kernel
    depth, height, width = target.shape
    for z in prange(depth):
        plane = np.full((height, width), _FAR, np.int64)
        for y in range(height):
            last = -1
            for x in range(width):
                if target[z, y, x]:
                    last = x
                if last >= 0:
                    plane[y, x] = (x - last) ** 2
            last = -1
            for x in range(width - 1, -1, -1):
                if target[z, y, x]:
                    last = x
                if last >= 0:
                    plane[y, x] = min(plane[y, x], (last - x) ** 2)
        line, out = np.empty(height, np.int64), np.empty(height, np.int64)
        sites, starts = np.empty(height, np.int64), np.empty(height, np.int64)
        for x in range(width):
            line[:] = plane[:, x]
            _envelope(line, sites, starts, out)
            for y in range(height):
                squared[z, y, x] = out[y]


@njit(parallel=True, cache=True)
def _outer_stack(squared: Any) -> None:
    depth, height, width = squared.shape
    for y in prange(height):
        line, out = np.empty(depth, np.int64), np.empty(depth, np.int64)
        sites, starts = np.empty(depth, np.int64), np.empty(depth, np.int64)
        for x in range(width):
            for z in range(depth):
                line[z] = squared[z, y, x]
            _envelope(line, sites, starts, out)
            for z in range(depth):
                squared[z, y, x] = out[z]


@njit(cache=True)
def _largest(squared: Any, where: Any) -> int:
    largest = -1
    for z in range(squared.shape[0]):
        for y in range(squared.shape[1]):
            for x in range(squared.shape[2]):
                if where[z, y, x] and squared[z, y, x] > largest:
                    largest = squared[z, y, x]
    return largest


@njit(cache=True)
def _histogram(squared: Any, where: Any, length: int) -> Any:
    counts = np.zeros(length, np.int64)
    for z in range(squared.shape[0]):
        for y in range(squared.shape[1]):
            for x in range(squared.shape[2]):
                if where[z, y, x]:
                    counts[squared[z, y, x]] += 1
    return counts
