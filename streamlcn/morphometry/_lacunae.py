"""Lacunae: the thick part of the network, with touching ones split; and the cell around each."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from streamlcn.morphometry._components import label, sizes
from streamlcn.morphometry.settings import MorphometryParameters

__all__ = ["cells", "core", "lacunae"]

_Labels = npt.NDArray[np.int32]


def core(
    radii: npt.NDArray[Any], voxel_size_um: float, thickness_um: float, volume_um3: float
) -> npt.NDArray[Any]:
    """Return 26-components of the voxels at least ``thickness_um`` thick, those below ``volume_um3`` dropped.

    ``radii`` holds squared covering radii in voxels. This is the opening of the network by a ball.
    """
    needed = (thickness_um / (2 * voxel_size_um)) ** 2
    labelled, count = label(radii >= max(needed * (1 - 1e-12), 1), 26)
    small = sizes(labelled, count) * voxel_size_um**3 < volume_um3
    small[0] = False
    if small.any():
        labelled[small[labelled]] = 0
    return labelled


def lacunae(
    squared: npt.NDArray[Any],
    radii: npt.NDArray[Any],
    voxel_size_um: float,
    parameters: MorphometryParameters,
) -> tuple[_Labels, int]:
    """Return lacunae (z, y, x) int32, numbered from 1 in order of their first voxel, and their count.

    ``squared`` is the squared distance to the outside, ``radii`` the squared covering radius. Touching
    lacunae are parted by the persistence of their peaks of distance.
    """
    thick = core(radii, voxel_size_um, parameters.lacuna_thickness_um, parameters.lacuna_volume_um3) > 0
    flat = np.flatnonzero(thick)
    order = flat[np.argsort(-squared.reshape(-1)[flat].astype(np.int64), kind="stable")]
    out = np.zeros(thick.shape, np.int32)
    depth_voxels, fraction = parameters.split_depth_voxels, parameters.split_depth_fraction
    parent = _climb_down(out, squared, order, depth_voxels, fraction)
    count = _renumber(out.reshape(-1), flat, parent)
    return out, int(count)


@njit(cache=True)
def _root(parent: Any, n: int) -> int:
    while parent[n] != n:
        parent[n] = parent[parent[n]]
        n = parent[n]
    return n


@njit(cache=True)
def _climb_down(  # noqa: C901  one kernel
    out: Any, squared: Any, order: Any, split_voxels: float, split_fraction: float
) -> Any:
    """Visit voxels from the deepest outwards; sets that meet become one unless both peaks stand out.

    A voxel belongs to the set that lies most steeply uphill: were it given to the higher set, that one would
    creep around the lower.
    """
    depth, height, width = out.shape
    parent = np.zeros(order.shape[0] + 1, np.int32)
    peak = np.zeros(order.shape[0] + 1, np.float64)
    count = 0
    for index in order:
        z, y, x = index // (height * width), index // width % height, index % width
        level = np.sqrt(float(squared[z, y, x]))
        best, uphill, steepest = 0, 0, -1.0
        for a in range(max(z - 1, 0), min(z + 2, depth)):
            for b in range(max(y - 1, 0), min(y + 2, height)):
                for c in range(max(x - 1, 0), min(x + 2, width)):
                    if out[a, b, c] == 0:
                        continue
                    run = np.sqrt(float((a - z) ** 2 + (b - y) ** 2 + (c - x) ** 2))
                    slope = (np.sqrt(float(squared[a, b, c])) - level) / run
                    if slope > steepest:
                        steepest, uphill = slope, out[a, b, c]
                    other = _root(parent, out[a, b, c])
                    if best == 0 or other == best:
                        best = other
                        continue
                    low, high = other, best
                    if peak[low] > peak[high] or (peak[low] == peak[high] and low < high):
                        low, high = high, low
                    if peak[low] - level < max(split_voxels, split_fraction * peak[low]):
                        parent[low] = high
                    best = high
        if best == 0:
            count += 1
            parent[count] = uphill = count
            peak[count] = level
        out[z, y, x] = uphill
    return parent


@njit(cache=True)
def _renumber(out: Any, flat: Any, parent: Any) -> int:
    number = np.zeros(parent.shape[0], np.int32)
    count = 0
    for index in flat:
        root = _root(parent, out[index])
        if number[root] == 0:
            count += 1
            number[root] = count
        out[index] = number[root]
    return count


def cells(lcn: npt.NDArray[np.bool_], lacunae: _Labels) -> _Labels:
    """Return for each LCN voxel the lacuna that it reaches first through the LCN, (z, y, x) int32.

    Steps over faces, edges and corners cost 3, 4, 5 (chamfer distance); ties go to the smaller number.
    0 outside the LCN and in orphans, the components without a lacuna.
    """
    out = lacunae.copy()
    _grow(out, lcn)
    return out


@njit(cache=True)
def _grow(out: Any, lcn: Any) -> None:  # noqa: C901  one kernel
    """Grow all at once: six buckets of voxels, one a distance, as linked lists in two arrays."""
    depth, height, width = out.shape
    distance = np.zeros(out.shape, np.int32)
    heads = np.full(6, -1, np.int64)
    room = 1024
    voxel, following = np.empty(room, np.int64), np.empty(room, np.int64)
    used, free, waiting = 0, np.int64(-1), 0
    flat_out = out.reshape(-1)
    flat_distance = distance.reshape(-1)
    now, seed, total = 0, 0, flat_out.shape[0]
    while seed < total or waiting > 0:
        if seed < total:  # distance 0: every lacuna voxel once, without a list
            if flat_out[seed] == 0:
                seed += 1
                continue
            index = np.int64(seed)
            seed += 1
            if flat_distance[index] != 0:
                continue
        else:
            while heads[now % 6] < 0:
                now += 1
            node = heads[now % 6]
            heads[now % 6] = following[node]
            index = voxel[node]
            following[node] = free
            free = node
            waiting -= 1
            if flat_distance[index] != now:
                continue  # reached on a shorter way meanwhile
        z, y, x = index // (height * width), index // width % height, index % width
        for a in range(max(z - 1, 0), min(z + 2, depth)):
            for b in range(max(y - 1, 0), min(y + 2, height)):
                for c in range(max(x - 1, 0), min(x + 2, width)):
                    step = abs(a - z) + abs(b - y) + abs(c - x)
                    if step == 0 or not lcn[a, b, c]:
                        continue
                    there = now + step + 2
                    old = distance[a, b, c]
                    if out[a, b, c] != 0 and old == 0:
                        continue  # a lacuna
                    if old != 0 and old < there:
                        continue
                    if old == there:
                        out[a, b, c] = min(out[a, b, c], out[z, y, x])
                        continue
                    distance[a, b, c] = there
                    out[a, b, c] = out[z, y, x]
                    if free >= 0:
                        node = free
                        free = following[node]
                    else:
                        if used == room:
                            voxel = np.concatenate((voxel, np.empty(room, np.int64)))
                            following = np.concatenate((following, np.empty(room, np.int64)))
                            room *= 2
                        node = used
                        used += 1
                    voxel[node] = (a * height + b) * width + c
                    following[node] = heads[there % 6]
                    heads[there % 6] = node
                    waiting += 1
