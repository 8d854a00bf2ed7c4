"""Squared distances from the voxels of a network to its outside, and the balls that cover them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit, prange

from streamlcn.errors import BadInput
from streamlcn.morphometry._network import Network, run_at

__all__ = ["covering_squared_radius", "inner_squared_distance"]

_FAR = 2**30  # farther than any distance inside a volume of up to 32767 voxels an edge
_SLAB = 8  # slices painted by one thread at a time
_Squares = npt.NDArray[np.int32]


def inner_squared_distance(network: Network) -> _Squares:
    """Return, one a voxel, int32, the squared distance to the nearest voxel centre outside the network.

    The faces of the volume bound nothing. Raises `BadInput` if the network fills its volume or an edge is
    longer than 32767 voxels.
    """
    if network.size == network.depth * network.height * network.width:
        raise BadInput("the mask fills the whole volume: without a voxel outside it no distance is defined")
    if max(network.shape) > 32767:
        raise BadInput(f"a volume of {network.shape} voxels is too long: 32767 voxels an edge are the limit")
    along_x, in_plane = np.empty(network.size, np.int32), np.empty(network.size, np.int32)
    _along_x(network, along_x)
    _across(network, along_x, in_plane, is_z=False)
    _across(network, in_plane, along_x, is_z=True)
    return along_x


@njit(parallel=True, cache=True)
def _along_x(net: Any, out: Any) -> None:
    for row in prange(net.depth * net.height):
        for run in range(net.rows[row], net.rows[row + 1]):
            count = net.first[run + 1] - net.first[run]
            is_left_open = net.start[run] == 0
            is_right_open = net.start[run] + count == net.width
            for k in range(count):
                best = _FAR
                if not is_left_open:
                    best = (k + 1) * (k + 1)
                if not is_right_open:
                    best = min(best, (count - k) * (count - k))
                out[net.first[run] + k] = best


@njit(parallel=True, cache=True)
def _across(net: Any, before: Any, out: Any, is_z: bool) -> None:
    """Take the minimum of ``before`` + d² over rows d away along z or y, up to the first voxel outside."""
    count, stride = (net.depth, net.height) if is_z else (net.height, 1)
    for row in prange(net.depth * net.height):
        low, high = net.first[net.rows[row]], net.first[net.rows[row + 1]]
        here = row // net.height if is_z else row % net.height
        for n in range(low, high):
            out[n] = before[n]
        for step in (-1, 1):
            d, largest = 1, _largest(out, low, high)
            while 0 <= here + step * d < count and d * d < largest:
                _lower(net, before, out, row, row + step * d * stride, d * d)
                d += 1
                largest = _largest(out, low, high)


@njit(cache=True)
def _largest(values: Any, low: int, high: int) -> int:
    largest = 0
    for n in range(low, high):
        largest = max(largest, values[n])
    return largest


@njit(cache=True)
def _lower(net: Any, before: Any, out: Any, row: int, other: int, squared: int) -> None:
    """Lower the values of a row by those of another, ``squared`` away."""
    there, stop = net.rows[other], net.rows[other + 1]
    for run in range(net.rows[row], net.rows[row + 1]):
        x = net.start[run]
        for n in range(net.first[run], net.first[run + 1]):
            if out[n] > squared:
                while there < stop and net.start[there] + net.first[there + 1] - net.first[there] <= x:
                    there += 1
                if there < stop and net.start[there] <= x:
                    value = before[net.first[there] + x - net.start[there]] + squared
                    out[n] = min(out[n], value)
                else:
                    out[n] = squared
            x += 1


def covering_squared_radius(network: Network, squared: _Squares) -> _Squares:
    """Return the largest squared radius of any ball inside the network that covers each voxel.

    A ball about x holds the offsets q with \\|q\\|² < ``squared``: it never leaves the network. Whole
    numbers, so the same bits for any number of threads.
    """
    if network.size == 0:
        return squared.copy()
    largest = int(squared.max())
    keep = np.zeros(network.size, np.bool_)
    _uncovered(network, squared, covered_from(largest, 1), keep)
    half = np.sqrt(np.arange(largest + 1)).astype(np.int64)  # exact below 2^52
    out = squared.copy()  # each voxel lies in its own ball
    voxel, row_of, x_of, slices = _centres(network, keep)
    _paint(network, squared, voxel, row_of, x_of, slices, half, out)
    return out


@njit(cache=True)
def covered_from(largest: int, reach: int) -> Any:
    """Tabulate from which D² on a face, edge or corner neighbour's ball contains a ball of D² = v."""
    table = np.zeros((3, largest + 1), np.int64)
    edge = int(np.sqrt(largest)) + 1
    for z in range(edge + 1):
        for y in range(z + 1):
            for x in range(y + 1):  # z >= y >= x: the farthest neighbour adds to the largest coordinates
                q = z * z + y * y + x * x
                v = q + reach
                if v <= largest:
                    table[0, v] = max(table[0, v], q + 2 * z + 1 + reach)
                    table[1, v] = max(table[1, v], q + 2 * (z + y) + 2 + reach)
                    table[2, v] = max(table[2, v], q + 2 * (z + y + x) + 3 + reach)
    for kind in range(3):
        for v in range(1, largest + 1):
            table[kind, v] = max(table[kind, v], table[kind, v - 1])
    return table


@njit(parallel=True, cache=True)
def _uncovered(net: Any, squared: Any, table: Any, keep: Any) -> None:
    """Mark the voxels whose ball no neighbour's ball contains, and which is more than one voxel."""
    for row in prange(net.depth * net.height):
        for run in range(net.rows[row], net.rows[row + 1]):
            low, high = net.first[run], net.first[run + 1]
            for n in range(low, high):
                needed = table[0, squared[n]]
                if squared[n] == 1 or (n > low and squared[n - 1] >= needed):
                    continue
                if n + 1 < high and squared[n + 1] >= needed:
                    continue
                x = net.start[run] + n - low
                keep[n] = not _is_covered(net, squared, table, row, x, squared[n])


@njit(cache=True)
def _is_covered(net: Any, squared: Any, table: Any, row: int, x: int, value: int) -> bool:
    """Return whether a ball in one of the 8 rows about a voxel's contains its ball; near rows first."""
    z, y = row // net.height, row % net.height
    for far in (1, 2):
        for dz in range(-1, 2):
            for dy in range(-1, 2):
                a, b = z + dz, y + dy
                if abs(dz) + abs(dy) != far or a < 0 or b < 0 or a >= net.depth or b >= net.height:
                    continue
                other = a * net.height + b
                run = run_at(net, other, x + 1)
                while run >= net.rows[other]:
                    end = net.start[run] + net.first[run + 1] - net.first[run]
                    for c in range(max(net.start[run], x - 1), min(end, x + 2)):
                        kind = far - 1 + abs(c - x)
                        if squared[net.first[run] + c - net.start[run]] >= table[kind, value]:
                            return True
                    if end <= x - 1:
                        break
                    run -= 1
    return False


@njit(cache=True)
def _centres(net: Any, keep: Any) -> Any:
    """Return the numbers of the marked voxels, their rows and x; and where each slice begins."""
    count = 0
    for n in range(keep.shape[0]):
        count += keep[n]
    voxel, row_of, x_of = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count, np.int32)
    slices = np.zeros(net.depth + 1, np.int64)
    m = 0
    for row in range(net.depth * net.height):
        for run in range(net.rows[row], net.rows[row + 1]):
            for n in range(net.first[run], net.first[run + 1]):
                if keep[n]:
                    voxel[m], row_of[m], x_of[m] = n, row, net.start[run] + n - net.first[run]
                    m += 1
        slices[row // net.height + 1] = m
    return voxel, row_of, x_of, slices


@njit(parallel=True, cache=True)
def _paint(
    net: Any, squared: Any, voxel: Any, row_of: Any, x_of: Any, slices: Any, half: Any, out: Any
) -> None:
    """Each thread owns whole slabs of ``out``: no race, and a maximum knows no order."""
    depth, height, width = net.depth, net.height, net.width
    farthest = half[half.shape[0] - 1]
    for slab in prange((depth + _SLAB - 1) // _SLAB):
        low, high = slab * _SLAB, min((slab + 1) * _SLAB, depth)
        last = np.full((high - low) * height, -1, np.int64)  # the run that a row was met in before
        for m in range(slices[max(low - farthest, 0)], slices[min(high + farthest, depth)]):
            cz, cy, cx = row_of[m] // height, row_of[m] % height, x_of[m]
            v = squared[voxel[m]]
            ball = v - 1
            r = half[ball]
            for z in range(max(low, cz - r), min(high, cz + r + 1)):
                in_plane = ball - (z - cz) * (z - cz)
                ry = half[in_plane]
                for y in range(max(0, cy - ry), min(height, cy + ry + 1)):
                    rx = half[in_plane - (y - cy) * (y - cy)]
                    left = max(0, cx - rx)
                    row = z * height + y
                    run = last[row - low * height]
                    if run < 0 or not 0 <= left - net.start[run] < net.first[run + 1] - net.first[run]:
                        run = run_at(net, row, left)  # a ball inside the network: its row is in one run
                        last[row - low * height] = run
                    n = net.first[run] + left - net.start[run]
                    span = out[n : n + min(width, cx + rx + 1) - left]
                    for k in range(span.shape[0]):
                        span[k] = max(span[k], v)
