"""Thinning of a network to centre lines, after Lee, Kashyap and Chu (CVGIP 56, 462, 1994).

The bits are those of scikit-image's ``skeletonize(mask, method="lee")``, which visits every voxel of the
volume for each of six directions, again and again. Here each voxel of the network carries its neighbourhood
as 26 bits, kept up to date as voxels go, so that neither time nor memory depends on the volume.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit, prange

from streamlcn.morphometry._configurations import euler_table, voxels_of
from streamlcn.morphometry._network import Network, around, around_place
from streamlcn.progress import Progress, unheard

__all__ = ["neighbourhoods", "thinned"]

_USUAL = 12  # borders after which most of the work is done
_CENTRE = 13  # of 27 voxels in C order
_BORDERS = np.array([10, 16, 14, 12, 22, 4])  # neighbours y-1, y+1, x+1, x-1, z+1, z-1, in Lee's order


def thinned(
    network: Network, places: npt.NDArray[np.int64], tell: Progress = unheard
) -> npt.NDArray[np.bool_]:
    """Return which voxels of the network are left as centre lines; ``places`` holds their C indices.

    Topology stays as it is. A volume of a single slice is thinned as a plane.
    """
    masks = neighbourhoods(network)
    borders = _BORDERS[: 4 if network.depth == 1 else 6]
    alive = np.ones(network.size, np.bool_)
    live, candidates = np.arange(network.size), np.empty(network.size, np.int64)
    done, is_changed = 0, True
    while is_changed:
        is_changed = False
        for border in borders:
            is_changed |= _thin(
                network, places, live, candidates, masks, alive, 1 << border, _joined(), *_octants()
            )
            done += 1
            tell(done / (done + _USUAL))  # how many there will be is not known
        live = live[alive[live]]
    return alive


def neighbourhoods(network: Network) -> npt.NDArray[np.int32]:
    """Return for each voxel which of the 27 about it are in the network, as bits in C order; its own is 0."""
    out = np.zeros(network.size, np.int32)
    _gather(network, out)
    return out


@cache
def _joined() -> npt.NDArray[np.int32]:
    """Return for each of 27 voxels the bits of those that touch it, the centre left out."""
    corners = np.stack(np.unravel_index(np.arange(27), (3, 3, 3)), axis=1)
    touch = np.abs(corners[:, None] - corners[None]).max(-1) <= 1
    touch[:, _CENTRE] = False
    return (touch * (1 << np.arange(27))).sum(1).astype(np.int32)


@cache
def _octants() -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return which 7 neighbours make up each octant, and how the Euler number falls without the centre.

    (8, 7) indices among 27 voxels; (8, 128) changes in eighths by the bits of those neighbours.
    """
    table = euler_table(26)
    by_voxels = {voxels_of(code).tobytes(): int(table[code]) for code in range(256)}
    members, change = np.zeros((8, 7), np.int64), np.zeros((8, 128), np.int64)
    for octant in range(8):
        low = np.array([octant >> 2 & 1, octant >> 1 & 1, octant & 1])
        inside = [low + np.array([k >> 2 & 1, k >> 1 & 1, k & 1]) for k in range(8)]
        flat = [int(p @ (9, 3, 1)) for p in inside]
        own = flat.index(_CENTRE)
        members[octant] = [f for f in flat if f != _CENTRE]
        for bits in range(128):
            cube = np.zeros(8, np.bool_)
            cube[[k for k in range(8) if k != own]] = [bits >> k & 1 for k in range(7)]
            without = by_voxels[cube.reshape(2, 2, 2).tobytes()]
            cube[own] = True
            change[octant, bits] = by_voxels[cube.reshape(2, 2, 2).tobytes()] - without
    return members, change


@njit(parallel=True, cache=True)
def _gather(net: Any, out: Any) -> None:
    for row in prange(net.depth * net.height):
        near = np.empty(27, np.int64)
        for run in range(net.rows[row], net.rows[row + 1]):
            x = net.start[run]
            for n in range(net.first[run], net.first[run + 1]):
                around(net, row // net.height, row % net.height, x, near)
                mask = 0
                for k in range(27):
                    if near[k] >= 0 and k != 13:
                        mask |= 1 << k
                out[n] = mask
                x += 1


@njit(cache=True)
def _is_connected(mask: int, joined: Any) -> bool:
    """Return whether the neighbours hang together without the voxel between them."""
    reached = mask & -mask
    fresh = reached
    while fresh:
        found, k = 0, 0
        while fresh:
            if fresh & 1:
                found |= joined[k]
            fresh >>= 1
            k += 1
        fresh = found & mask & ~reached
        reached |= fresh
    return reached == mask


@njit(cache=True)
def _keeps_euler(mask: int, members: Any, change: Any) -> bool:
    total = 0
    for octant in range(8):
        bits = 0
        for k in range(7):
            bits |= (mask >> members[octant, k] & 1) << k
        total += change[octant, bits]
    return total == 0


@njit(cache=True)
def _thin(
    net: Any, places: Any, live: Any, candidates: Any, masks: Any, alive: Any, border: int,
    joined: Any, members: Any, change: Any,
) -> bool:  # fmt: skip
    """Take away what can go at one border; return whether anything went."""
    near = np.empty(27, np.int64)
    count = _candidates(live, alive, masks, border, joined, members, change, candidates)
    is_changed = False
    for n in candidates[:count]:  # one by one: neighbours may have gone meanwhile
        if _is_connected(masks[n], joined):
            is_changed = True
            alive[n] = False
            _remove(net, places[n], masks, near)
    return is_changed


@njit(cache=True)
def _candidates(
    live: Any, alive: Any, masks: Any, border: int, joined: Any, members: Any, change: Any, out: Any
) -> int:
    """List the voxels on a border that can go: no ends, topology stays."""
    count = 0
    for n in live:
        mask = masks[n]
        if mask & border or not alive[n] or (mask != 0 and mask & (mask - 1) == 0):
            continue
        if _keeps_euler(mask, members, change) and _is_connected(mask, joined):
            out[count] = n
            count += 1
    return count


@njit(cache=True)
def _remove(net: Any, place: int, masks: Any, near: Any) -> None:
    around_place(net, place, near)
    for k in range(27):
        if near[k] >= 0:
            masks[near[k]] &= ~(1 << (26 - k))
