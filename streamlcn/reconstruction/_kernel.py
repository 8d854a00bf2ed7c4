"""The back-projection kernel for CPUs.

Layout: volume (y, x, z) and rows (k, u, z), z innermost, so that both taps of the linear interpolation are
contiguous lines for all z: index and weight are scalars per pixel, and the innermost loop is two loads and
two fused multiply-adds per projection. Eight projections are written out per pass over a tile of 16 x 16
pixels, which keeps the voxel in a register.

Every voxel takes its projections strictly one after the other (no reassociation is allowed), so its bits
depend on their sequence alone: not on the size of batches, tiles, slabs or the number of threads.
"""

from __future__ import annotations

import numba
import numpy as np

__all__ = ["back_project", "write_slices"]

TILE = 16
F1 = np.float32(1)


@numba.njit(nogil=True, cache=True, error_model="numpy", fastmath={"contract", "nsz"})
def back_project(volume, rows, cosines, sines, origin, mid, y_first, y_last):  # type: ignore[no-untyped-def]
    """Add projections to image rows ``y_first`` to ``y_last`` (exclusive) inside the circle of diameter N.

    volume (N, N, Z) and rows (K, U, Z) float32; cosines, sines (K,) float64; ``origin`` is the position of
    the axis in ``rows``, ``mid`` its position in the image. Nothing checks bounds: the caller sees
    to it that origin - N / 2 >= 0 and origin + N / 2 + 1 <= U - 1.
    """
    size = volume.shape[0]
    depth = volume.shape[2]
    whole = rows.shape[0] - rows.shape[0] % 8
    square = (size / 2.0) ** 2
    for x_tile in range(0, size, TILE):
        for k in range(0, whole, 8):
            c0, c1, c2, c3 = cosines[k], cosines[k + 1], cosines[k + 2], cosines[k + 3]
            c4, c5, c6, c7 = cosines[k + 4], cosines[k + 5], cosines[k + 6], cosines[k + 7]
            s0, s1, s2, s3 = sines[k], sines[k + 1], sines[k + 2], sines[k + 3]
            s4, s5, s6, s7 = sines[k + 4], sines[k + 5], sines[k + 6], sines[k + 7]
            for iy in range(y_first, y_last):
                y = mid - iy
                half = np.sqrt(square - y * y)
                start = max(x_tile, int(np.ceil(mid - half)))
                stop = min(x_tile + TILE, int(np.floor(mid + half)) + 1)
                for ix in range(start, stop):
                    x = ix - mid
                    t0, t1 = x * c0 + y * s0 + origin, x * c1 + y * s1 + origin
                    t2, t3 = x * c2 + y * s2 + origin, x * c3 + y * s3 + origin
                    t4, t5 = x * c4 + y * s4 + origin, x * c5 + y * s5 + origin
                    t6, t7 = x * c6 + y * s6 + origin, x * c7 + y * s7 + origin
                    i0, i1, i2, i3 = int(t0), int(t1), int(t2), int(t3)
                    i4, i5, i6, i7 = int(t4), int(t5), int(t6), int(t7)
                    b0, b1 = np.float32(t0 - i0), np.float32(t1 - i1)
                    b2, b3 = np.float32(t2 - i2), np.float32(t3 - i3)
                    b4, b5 = np.float32(t4 - i4), np.float32(t5 - i5)
                    b6, b7 = np.float32(t6 - i6), np.float32(t7 - i7)
                    a0, a1, a2, a3 = F1 - b0, F1 - b1, F1 - b2, F1 - b3
                    a4, a5, a6, a7 = F1 - b4, F1 - b5, F1 - b6, F1 - b7
                    p0, p1, p2, p3 = rows[k, i0], rows[k + 1, i1], rows[k + 2, i2], rows[k + 3, i3]
                    p4, p5, p6, p7 = rows[k + 4, i4], rows[k + 5, i5], rows[k + 6, i6], rows[k + 7, i7]
                    q0, q1 = rows[k, i0 + 1], rows[k + 1, i1 + 1]
                    q2, q3 = rows[k + 2, i2 + 1], rows[k + 3, i3 + 1]
                    q4, q5 = rows[k + 4, i4 + 1], rows[k + 5, i5 + 1]
                    q6, q7 = rows[k + 6, i6 + 1], rows[k + 7, i7 + 1]
                    line = volume[iy, ix]
                    for z in range(depth):
                        v = line[z]
                        v += a0 * p0[z]
                        v += b0 * q0[z]
                        v += a1 * p1[z]
                        v += b1 * q1[z]
                        v += a2 * p2[z]
                        v += b2 * q2[z]
                        v += a3 * p3[z]
                        v += b3 * q3[z]
                        v += a4 * p4[z]
                        v += b4 * q4[z]
                        v += a5 * p5[z]
                        v += b5 * q5[z]
                        v += a6 * p6[z]
                        v += b6 * q6[z]
                        v += a7 * p7[z]
                        v += b7 * q7[z]
                        line[z] = v
        for k in range(whole, rows.shape[0]):
            for iy in range(y_first, y_last):
                y = mid - iy
                half = np.sqrt(square - y * y)
                start = max(x_tile, int(np.ceil(mid - half)))
                stop = min(x_tile + TILE, int(np.floor(mid + half)) + 1)
                for ix in range(start, stop):
                    t = (ix - mid) * cosines[k] + y * sines[k] + origin
                    i = int(t)
                    b = np.float32(t - i)
                    a = F1 - b
                    line = volume[iy, ix]
                    p = rows[k, i]
                    q = rows[k, i + 1]
                    for z in range(depth):
                        v = line[z]
                        v += a * p[z]
                        v += b * q[z]
                        line[z] = v


@numba.njit(nogil=True, cache=True)
def write_slices(volume, scale, out, y_first, y_last):  # type: ignore[no-untyped-def]
    """Write scale * volume (y, x, z) for some image rows into out (z, y, x), as many z as ``out`` has."""
    for iy in range(y_first, y_last):
        for z in range(out.shape[0]):
            for ix in range(volume.shape[1]):
                out[z, iy, ix] = volume[iy, ix, z] * scale
