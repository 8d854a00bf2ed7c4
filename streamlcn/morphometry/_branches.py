"""From thinned voxels to branches between ends and junctions."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from streamlcn.morphometry._network import Network, around_place
from streamlcn.morphometry._runs import run_components

__all__ = ["Branches", "branches", "smooth_lengths"]


class Branches(NamedTuple):
    """A thinned network as a graph; lengths in voxels.

    Branch b runs through ``points[offset[b]:offset[b + 1]]`` ((n, 3) float64 z, y, x), from an end or the
    centre of a junction to another. ``degree``: neighbours of each thinned voxel; ``junctions``: their count.
    """

    points: npt.NDArray[np.float64]
    offset: npt.NDArray[np.int64]
    degree: npt.NDArray[np.int64]
    junctions: int

    @property
    def chords(self) -> npt.NDArray[np.float64]:
        """Distances from start to end, one a branch; 0 of a ring."""
        first, last = self.points[self.offset[:-1]], self.points[self.offset[1:] - 1]
        out: npt.NDArray[np.float64] = np.linalg.norm(last - first, axis=1)
        return out


def branches(thin: Network) -> Branches:
    """Return the graph of thinned voxels.

    Voxels with more than two neighbours are junctions; those that touch make one, at their centre. Voxels
    with one neighbour are ends. A ring without junction is one branch that closes; a single voxel is none.
    """
    places = thin.places()
    near = _neighbours(thin, places)
    degree = (near >= 0).sum(axis=1)
    knots, where = thin.part(degree > 2)
    parts = run_components(knots, 26)
    junction = np.full(thin.size, -1, np.int64)
    junction[where] = knots.run_of_voxels(parts.number)
    position = np.stack(np.unravel_index(places, thin.shape), axis=1).astype(np.float64)
    centre = np.zeros((len(parts.voxels), 3))
    np.add.at(centre, junction[where], position[where])
    centre /= parts.voxels[:, None]
    points, offset = _trace(near, degree, junction, position, centre)
    return Branches(points, offset, degree, len(parts.voxels))


@njit(cache=True)
def _neighbours(net: Any, places: Any) -> Any:
    out = np.full((places.shape[0], 26), -1, np.int64)
    near = np.empty(27, np.int64)
    for n, place in enumerate(places):
        around_place(net, place, near)
        count = 0
        for k in range(27):
            if near[k] >= 0 and k != 13:
                out[n, count] = near[k]
                count += 1
    return out


@njit(cache=True)
def _follow(near: Any, degree: Any, is_visited: Any, before: int, now: int, path: Any) -> Any:
    """Write the chain from ``now`` away from ``before``; return its length and the knot it meets, or -1."""
    count = 0
    while True:
        path[count] = now
        count += 1
        is_visited[now] = True
        following = -1
        for k in range(degree[now]):
            if near[now, k] != before:
                following = near[now, k]
        if degree[now] > 2 or following < 0 or (degree[now] == 1 and count > 1):
            return count, -1
        if degree[following] > 2:
            return count, following
        if is_visited[following]:
            return count, -1
        before, now = now, following


@njit(cache=True)
def _trace(near: Any, degree: Any, junction: Any, position: Any, centre: Any) -> Any:  # noqa: C901  one kernel
    total = degree.shape[0]
    is_visited, path = np.zeros(total, np.bool_), np.empty(total, np.int64)
    points = np.empty((3 * total + 2, 3))
    offset = np.zeros(total * 2 + 2, np.int64)
    count, filled = 0, 0
    for kind in range(3):  # branches from ends; from junctions; rings
        for n in range(total):
            if min(degree[n], 3) != (1, 3, 2)[kind]:
                continue
            for k in range(degree[n] if kind == 1 else 1):
                now = near[n, k] if kind == 1 else n
                if is_visited[now] or degree[now] > 2:
                    continue
                before = n if kind == 1 else -1
                if kind == 2:
                    before = near[n, 1]
                length, knot = _follow(near, degree, is_visited, before, now, path)
                if kind == 1 and length == 1 and knot >= 0 and junction[knot] == junction[n]:
                    continue  # a voxel beside a junction, no branch
                if kind == 1:
                    points[filled] = centre[junction[n]]
                    filled += 1
                for m in path[:length]:
                    points[filled] = position[m]
                    filled += 1
                if kind == 2:
                    points[filled] = position[n]
                    filled += 1
                elif knot >= 0:
                    points[filled] = centre[junction[knot]]
                    filled += 1
                count += 1
                offset[count] = filled
    return points[:filled].copy(), offset[: count + 1].copy()


@njit(cache=True)
def _mean_point(points: Any, low: int, high: int, i: int, half: int, is_ring: bool, out: Any) -> None:
    """Average points i - half to i + half of a path; a ring goes round, ends reflect oddly."""
    out[:] = 0.0
    for j in range(i - half, i + half + 1):
        if is_ring:
            out += points[low + (j - low) % (high - 1 - low)]
        elif j < low:
            out += 2 * points[low] - points[2 * low - j]
        elif j >= high:
            out += 2 * points[high - 1] - points[2 * (high - 1) - j]
        else:
            out += points[j]
    out /= 2 * half + 1


@njit(cache=True)
def smooth_lengths(points: Any, offset: Any, half_width: int) -> Any:
    """Return the length of each branch after a moving average of ``half_width`` points to each side.

    A path of voxels is a staircase, 6 to 9 % longer than its line.
    """
    out = np.zeros(offset.shape[0] - 1)
    here, before = np.zeros(3), np.zeros(3)
    for branch in range(offset.shape[0] - 1):
        low, high = offset[branch], offset[branch + 1]
        half = min(half_width, high - low - 1)
        is_ring = high - low > 2 * half and (points[low] == points[high - 1]).all()
        for i in range(low, high):
            _mean_point(points, low, high, i, half, is_ring and half > 0, here)
            if i > low:
                out[branch] += np.sqrt(((here - before) ** 2).sum())
            before[:] = here
    return out
