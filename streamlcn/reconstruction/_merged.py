"""Back-projection of neighbouring angles as one: approximate, for less than half of the work.

Two levels, after the idea of fast hierarchical back-projection (Basu and Bresler, IEEE Trans. Image Process.
9 (2000) 1760): seen from a small tile, neighbouring angles differ by little but a shift. So up to eight
filtered rows are shifted to where each of them sees the tile's middle, summed at twice their sampling, and
that one row is back-projected over the tile at the mean angle.

Which projections are merged is a matter of their sequence and angles alone, not of batches.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numba
import numpy as np
import numpy.typing as npt

from streamlcn.reconstruction._accumulator import CpuAccumulator, Projected
from streamlcn.reconstruction._filter import RowFilter
from streamlcn.reconstruction._kernel import TILE, add_taps

__all__ = ["MergedAccumulator", "back_project_merged", "merged_groups"]

AT_ONCE = 64
MOST_ANGLES = 8
MOST_SPREAD_RAD = 0.03
"""Largest difference of two merged angles: at the corner of a tile a quarter of a pixel from their mean."""

FINE = 2
REACH = math.ceil(math.sqrt(2) * (TILE - 1) / 2 * FINE)
"""Samples on either side of a tile's middle."""


def merged_groups(angles_rad: Sequence[float]) -> list[int]:
    """Return where each group of projections ends, the index after its last one."""
    ends, first = [], 0
    for k in range(1, len(angles_rad) + 1):
        is_full = k - first == MOST_ANGLES
        is_last = k == len(angles_rad)
        if is_full or is_last or abs(angles_rad[k] - angles_rad[first]) > MOST_SPREAD_RAD:
            ends.append(k)
            first = k
    return ends


class MergedAccumulator(CpuAccumulator):
    """As `CpuAccumulator`, with neighbouring angles merged.

    A voxel costs less than its way from memory and back, so that projections wait until there are 64. Those
    whose group may still grow wait until a slab is asked for, after which none may come. Planes are those of
    all other projections, at the level of all.
    """

    def __init__(
        self, shape: tuple[int, int], centre: float, row_filter: RowFilter, batch: int, threads: int
    ) -> None:
        super().__init__(shape, centre, row_filter, max(batch, AT_ONCE) + MOST_ANGLES, threads)
        self._waiting: list[float] = []  # angles of the first rows of the queue
        self._count = 0  # projections in the volume

    def add(self, projections: Sequence[Projected]) -> None:
        rest = list(projections)
        while rest:
            waiting = len(self._waiting)
            part = rest[: len(self._queue[0]) - waiting]
            list(self._pool.map(self._prepare, range(waiting, waiting + len(part)), part))
            self._waiting += [p.angle_rad for p in part]
            del rest[: len(part)]
            if len(self._waiting) == len(self._queue[0]):
                self._merge(is_end=False)

    def clear(self) -> None:
        super().clear()
        self._waiting, self._count = [], 0

    def slab(self, z_start: int, z_stop: int, scale: float) -> npt.NDArray[np.float32]:
        self._merge(is_end=True)
        return super().slab(z_start, z_stop, scale)

    def plane(self, axis: int, index: int, scale: float) -> npt.NDArray[np.float32]:
        self._merge(is_end=False)
        level = (self._count + len(self._waiting)) / max(self._count, 1)
        return super().plane(axis, index, scale * level)

    def _merge(self, is_end: bool) -> None:
        """Back-project the groups that cannot grow any more."""
        ends = merged_groups(self._waiting)
        if ends and not is_end and ends[-1] - ([0, *ends])[-2] < MOST_ANGLES:
            ends.pop()
        if not ends:
            return
        taken, left = ends[-1], len(self._waiting) - ends[-1]
        angles = np.array(self._waiting[:taken])
        means = np.array([group.mean() for group in np.split(angles, ends[:-1])])
        self._back_project(angles, partial(back_project_merged, np.array(ends), np.cos(means), np.sin(means)))
        for queue in self._queue:
            queue[:left] = queue[taken : taken + left]
        self._waiting = self._waiting[taken:]
        self._count += taken


@numba.njit(nogil=True, cache=True, error_model="numpy")
def back_project_merged(ends, mean_cos, mean_sin, volume, rows, cosines, sines, origin, mid, y_first, y_last):  # type: ignore[no-untyped-def]
    """Add merged projections to the tiles of image rows ``y_first`` to ``y_last``, at most TILE of them.

    ``ends`` (group,) int64 says where each group of ``rows`` ends; all else is as in `back_project`.
    """
    size = volume.shape[0]
    square = (size / 2.0) ** 2
    merged = np.empty((len(ends), 2 * REACH + 2, volume.shape[2]), np.float32)
    places = np.empty(max(len(ends), MOST_ANGLES), np.int32)
    shares = np.empty(places.shape[0], np.float32)
    y_tile = mid - (y_first + (TILE - 1) / 2)
    for x_first in range(0, size, TILE):
        x_tile = x_first + (TILE - 1) / 2 - mid
        if np.hypot(x_tile, y_tile) > size / 2.0 + TILE:
            continue
        _merge_rows(merged, rows, ends, x_tile * cosines + y_tile * sines + origin, places, shares)
        for iy in range(y_first, y_last):
            y = mid - iy
            half = np.sqrt(square - y * y)
            start = max(x_first, int(np.ceil(mid - half)))
            stop = min(x_first + TILE, int(np.floor(mid + half)) + 1)
            for ix in range(start, stop):
                for g in range(len(ends)):
                    along = (ix - mid - x_tile) * mean_cos[g] + (y - y_tile) * mean_sin[g]
                    t = FINE * along + REACH
                    places[g] = np.int32(t)
                    shares[g] = np.float32(t - places[g])
                add_taps(volume[iy, ix], merged, places[: len(ends)], shares[: len(ends)], 0)


@numba.njit(nogil=True)
def _merge_rows(merged, rows, ends, seen, places, shares):  # type: ignore[no-untyped-def]
    """Sum each group of rows, read around where each sees the tile's middle, into ``merged`` (g, j, z)."""
    first, last_place = 0, rows.shape[1] - 2
    for g in range(len(ends)):
        count = ends[g] - first
        for j in range(merged.shape[1]):
            for k in range(count):
                t = max(seen[first + k] + (j - REACH) / FINE, 0.0)
                places[k] = min(np.int32(t), last_place)
                shares[k] = np.float32(t - places[k])
            merged[g, j] = 0
            add_taps(merged[g, j], rows, places[:count], shares[:count], first)
        first = ends[g]
