"""The back-projection kernel for CPUs.

Layout: volume (y, x, z) and rows (k, u, z), z innermost, so that both taps of the linear interpolation are
contiguous lines for all z: index and weight are scalars per pixel. A tile of 24 x 48 pixels takes twelve
projections at a time: its voxels and the part of the rows that it sees then stay in the second cache.

Every voxel takes its projections strictly one after the other, each product fused with its sum, so its bits
depend on their sequence alone: not on the size of batches, tiles, slabs or the number of threads.
"""

from __future__ import annotations

import numba
import numpy as np

from streamlcn.reconstruction._taps import add_8, add_16, add_32, add_64, add_few

__all__ = ["add_taps", "back_project", "transpose", "write_slices"]

TILE = 24
WIDE = 2 * TILE
AT_ONCE = 12


@numba.njit(nogil=True, cache=True, error_model="numpy")
def back_project(volume, rows, cosines, sines, origin, mid, y_first, y_last):  # type: ignore[no-untyped-def]
    """Add projections to image rows ``y_first`` to ``y_last`` (exclusive) inside the circle of diameter N.

    volume (N, N, Z) and rows (K, U, Z) float32; cosines, sines (K,) float64; ``origin`` is the position of
    the axis in ``rows``, ``mid`` its position in the image. Nothing checks bounds: the caller sees
    to it that origin - N / 2 >= 0 and origin + N / 2 + 1 <= U - 1.
    """
    size = volume.shape[0]
    square = (size / 2.0) ** 2
    places = np.empty((WIDE, AT_ONCE), np.int32)
    shares = np.empty((WIDE, AT_ONCE), np.float32)
    for x_tile in range(0, size, WIDE):
        for first in range(0, rows.shape[0], AT_ONCE):
            some_cos, some_sin = cosines[first : first + AT_ONCE], sines[first : first + AT_ONCE]
            count = some_cos.shape[0]
            for iy in range(y_first, y_last):
                y = mid - iy
                half = np.sqrt(square - y * y)
                start = max(x_tile, int(np.ceil(mid - half)))
                stop = min(x_tile + WIDE, int(np.floor(mid + half)) + 1)
                for ix in range(start, stop):
                    place, share = places[ix - x_tile], shares[ix - x_tile]
                    for k in range(count):
                        t = (ix - mid) * some_cos[k] + y * some_sin[k] + origin
                        i = np.int32(t)
                        place[k] = i
                        share[k] = np.float32(t - i)
                for ix in range(start, stop):
                    n = ix - x_tile
                    add_taps(volume[iy, ix], rows, places[n, :count], shares[n, :count], first)


@numba.njit(nogil=True, inline="always")
def add_taps(line, rows, places, shares, first):  # type: ignore[no-untyped-def]
    """Add the taps of some projections to all z of one pixel, as many at once as are left."""
    depth, z = line.shape[0], 0
    while depth - z >= 64:
        add_64(line, rows, places, shares, first, z)
        z += 64
    if depth - z >= 32:
        add_32(line, rows, places, shares, first, z)
        z += 32
    if depth - z >= 16:
        add_16(line, rows, places, shares, first, z)
        z += 16
    if depth - z >= 8:
        add_8(line, rows, places, shares, first, z)
        z += 8
    if z < depth:
        add_few(line, rows, places, shares, first, z)


@numba.njit(nogil=True, cache=True)
def write_slices(volume, scale, out, y_first, y_last):  # type: ignore[no-untyped-def]
    """Write scale * volume (y, x, z) for some image rows into out (z, y, x), as many z as ``out`` has."""
    for iy in range(y_first, y_last):
        for x_tile in range(0, volume.shape[1], TILE):
            for z in range(out.shape[0]):
                for ix in range(x_tile, min(x_tile + TILE, volume.shape[1])):
                    out[z, iy, ix] = volume[iy, ix, z] * scale


@numba.njit(nogil=True, cache=True)
def transpose(lines, out):  # type: ignore[no-untyped-def]
    """Write float32 lines (row, column) to out (column, row), by squares that fit into the first cache."""
    for first in range(0, lines.shape[1], TILE):
        for top in range(0, lines.shape[0], TILE):
            for column in range(first, min(first + TILE, lines.shape[1])):
                for row in range(top, min(top + TILE, lines.shape[0])):
                    out[column, row] = lines[row, column]
