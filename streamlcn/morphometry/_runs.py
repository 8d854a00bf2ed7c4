"""Connected components of a network, by union-find over its runs."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from streamlcn.morphometry._network import Network

__all__ = ["RunComponents", "complement", "root_of", "run_components", "union"]


class RunComponents(NamedTuple):
    """Components numbered from 0 in order of their first voxel.

    ``number`` of each run, int64; ``voxels`` of each, int64; ``touches`` a face of the volume, bool.
    """

    number: npt.NDArray[np.int64]
    voxels: npt.NDArray[np.int64]
    touches: npt.NDArray[np.bool_]


def run_components(network: Network, connectivity: int) -> RunComponents:
    """Return the 6- or 26-connected components of a network."""
    return RunComponents(*_components(network, 1 if connectivity == 26 else 0))


@njit(cache=True)
def root_of(parent: Any, n: int) -> int:
    """Return the root of n's set, and shorten the way to it."""
    while parent[n] != n:
        parent[n] = parent[parent[n]]
        n = parent[n]
    return n


@njit(cache=True)
def _join(net: Any, parent: Any, here: int, there: int, reach: int) -> None:
    """Join the runs of two rows that lie within ``reach`` of each other along x."""
    a, b = net.rows[here], net.rows[there]
    while a < net.rows[here + 1] and b < net.rows[there + 1]:
        end_a = net.start[a] + net.first[a + 1] - net.first[a]
        end_b = net.start[b] + net.first[b + 1] - net.first[b]
        if net.start[b] < end_a + reach and net.start[a] < end_b + reach:
            p, q = root_of(parent, a), root_of(parent, b)
            parent[max(p, q)] = min(p, q)
        if end_a < end_b:
            a += 1
        else:
            b += 1


@njit(cache=True)
def _components(net: Any, reach: int) -> Any:  # noqa: C901  one kernel
    height, runs = net.height, net.start.shape[0]
    parent = np.arange(runs)
    for z in range(net.depth):
        for y in range(height):
            row = z * height + y
            if y > 0:
                _join(net, parent, row, row - 1, reach)
            if z > 0:
                for b in range(max(y - reach, 0), min(y + reach + 1, height)):
                    _join(net, parent, row, (z - 1) * height + b, reach)
    number = np.empty(runs, np.int64)
    count = 0
    for run in range(runs):  # the root is the first run of its component: it has a number already
        root = root_of(parent, run)
        if root == run:
            number[run] = count
            count += 1
        else:
            number[run] = number[root]
    voxels, touches = np.zeros(count, np.int64), np.zeros(count, np.bool_)
    for z in range(net.depth):
        for y in range(height):
            outer = z == 0 or z == net.depth - 1 or y == 0 or y == height - 1
            for run in range(net.rows[z * height + y], net.rows[z * height + y + 1]):
                length = net.first[run + 1] - net.first[run]
                voxels[number[run]] += length
                if outer or net.start[run] == 0 or net.start[run] + length == net.width:
                    touches[number[run]] = True
    return number, voxels, touches


def complement(network: Network) -> Network:
    """Return the network of all voxels that are not in this one."""
    rows, start, first = _complement(network)
    return Network(rows, start, first, *network.shape)


@njit(cache=True)
def _complement(net: Any) -> Any:
    rows = np.zeros(net.rows.shape[0], np.int64)
    most = net.start.shape[0] + net.rows.shape[0] - 1
    start, first = np.empty(most, np.int32), np.zeros(most + 1, np.int64)
    runs, voxels = 0, 0
    for row in range(net.rows.shape[0] - 1):
        x = 0
        for run in range(net.rows[row], net.rows[row + 1] + 1):
            is_last = run == net.rows[row + 1]
            stop = net.width if is_last else net.start[run]
            if stop > x:
                start[runs], first[runs] = x, voxels
                runs += 1
                voxels += stop - x
            if not is_last:
                x = stop + net.first[run + 1] - net.first[run]
        rows[row + 1] = runs
    first[runs] = voxels
    return rows, start[:runs].copy(), first[: runs + 1].copy()


def union(one: Network, other: Network) -> Network:
    """Return the network of the voxels of either; they share none."""
    if other.size == 0:
        return one
    rows, start, first = _union(one, other)
    return Network(rows, start, first, *one.shape)


@njit(cache=True)
def _union(one: Any, other: Any) -> Any:
    rows = np.zeros(one.rows.shape[0], np.int64)
    most = one.start.shape[0] + other.start.shape[0]
    start, first = np.empty(most, np.int32), np.zeros(most + 1, np.int64)
    runs, voxels = 0, 0
    for row in range(one.rows.shape[0] - 1):
        a, b, end = one.rows[row], other.rows[row], -1
        while a < one.rows[row + 1] or b < other.rows[row + 1]:
            is_a = b == other.rows[row + 1] or (a < one.rows[row + 1] and one.start[a] < other.start[b])
            if is_a:
                low, length = one.start[a], one.first[a + 1] - one.first[a]
                a += 1
            else:
                low, length = other.start[b], other.first[b + 1] - other.first[b]
                b += 1
            if low != end:
                start[runs], first[runs] = low, voxels
                runs += 1
            voxels += length
            end = low + length
        rows[row + 1] = runs
    first[runs] = voxels
    return rows, start[:runs].copy(), first[: runs + 1].copy()
