"""Cells: each pore voxel belongs to the lacuna that it reaches first through the pores."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from streamlcn.morphometry._network import Network, around_place

__all__ = ["cells"]


def cells(
    network: Network, places: npt.NDArray[np.int64], lacunae: npt.NDArray[np.int32]
) -> npt.NDArray[np.int32]:
    """Return for each voxel of the network its cell, int32: the number of the nearest lacuna, 0 for none.

    Steps over faces, edges and corners cost 3, 4, 5 (chamfer distance); ties go to the smaller number. What
    reaches no lacuna is an orphan. ``lacunae`` and ``places`` hold one entry a voxel.
    """
    out = lacunae.copy()
    _grow(network, places, out)
    return out


@njit(cache=True)
def _grow(net: Any, places: Any, out: Any) -> None:  # noqa: C901  one kernel
    """Grow all at once: six buckets of voxels, one a distance, as linked lists in two arrays."""
    distance = np.zeros(out.shape[0], np.int32)
    heads = np.full(6, -1, np.int64)
    room = 1024
    voxel, following = np.empty(room, np.int64), np.empty(room, np.int64)
    near = np.empty(27, np.int64)
    used, free, waiting = 0, np.int64(-1), 0
    now, seed, total = 0, 0, out.shape[0]
    while seed < total or waiting > 0:
        if seed < total:  # distance 0: every lacuna voxel once, without a list
            n = np.int64(seed)
            seed += 1
            if out[n] == 0 or distance[n] != 0:
                continue
        else:
            while heads[now % 6] < 0:
                now += 1
            node = heads[now % 6]
            heads[now % 6] = following[node]
            n = voxel[node]
            following[node] = free
            free = node
            waiting -= 1
            if distance[n] != now:
                continue  # reached on a shorter way meanwhile
        place = places[n]
        around_place(net, place, near)
        for k in range(27):
            m = near[k]
            step = abs(k // 9 - 1) + abs(k // 3 % 3 - 1) + abs(k % 3 - 1)
            if m < 0 or step == 0:
                continue
            there, old = now + step + 2, distance[m]
            if (out[m] != 0 and old == 0) or (old != 0 and old < there):
                continue  # a lacuna, or reached before
            if old == there:
                out[m] = min(out[m], out[n])
                continue
            distance[m] = there
            out[m] = out[n]
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
            voxel[node] = m
            following[node] = heads[there % 6]
            heads[there % 6] = node
            waiting += 1
