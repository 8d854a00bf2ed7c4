"""Local thickness: the diameter of the largest ball inside the pore that covers a voxel."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit, prange

from streamlcn.morphometry._check import checked_mask, checked_voxel_size
from streamlcn.morphometry._distance import inner_squared_distance

__all__ = ["covering_squared_radius", "local_thickness", "local_thickness_bonej"]

_SLAB = 8  # slices painted by one thread at a time


def local_thickness(mask: npt.ArrayLike, voxel_size_um: float) -> npt.NDArray[np.float32]:
    """Return the local thickness in um of each voxel of ``mask``, (z, y, x) float32, 0 outside.

    T(p) = 2 max{D(x) : |p - x| < D(x)} over the voxels x of the mask, where D(x) is the distance of x to the
    nearest voxel centre outside (Hildebrand & Rüegsegger 1997). Exact: whole numbers throughout, and the same
    bits for any number of threads. Faces of the volume bound nothing. An empty mask gives zeros.
    Raises `BadInput` for a mask that is not boolean or fills the volume, and for voxels that are not cubic.
    """
    solid, voxel = checked_mask(mask), checked_voxel_size(voxel_size_um)
    if not solid.any():
        return np.zeros(solid.shape, np.float32)
    radii = covering_squared_radius(inner_squared_distance(solid), inclusive=False)
    return diameters(radii, voxel)


def diameters(squared_radius: npt.NDArray[Any], voxel_size_um: float) -> npt.NDArray[np.float32]:
    """Return 2 sqrt(v) times the voxel size as float32, slice by slice."""
    out = np.empty(squared_radius.shape, np.float32)
    for plane, radius in zip(out, squared_radius, strict=True):
        plane[...] = 2.0 * voxel_size_um * np.sqrt(radius.astype(np.float64))
    return out


def covering_squared_radius(squared: npt.NDArray[Any], *, inclusive: bool) -> npt.NDArray[Any]:
    """Return the largest squared radius of any ball that covers each voxel; ``squared`` as its type.

    A ball about x holds the offsets q with \\|q\\|² < D² (``inclusive``: <= D², which paints the nearest
    outside voxels too, as BoneJ does).
    """
    reach = 0 if inclusive else 1
    largest = int(squared.max())
    covered_from = _covered_from(largest, reach)
    centres = _centres(squared, covered_from)
    half = np.sqrt(np.arange(largest + 1)).astype(np.int64)  # exact below 2^52
    out = np.zeros_like(squared)
    _paint(out, squared, centres, half, reach)
    return out


@njit(cache=True)
def _covered_from(largest: int, reach: int) -> Any:
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


@njit(cache=True)
def _is_covered(squared: Any, table: Any, z: int, y: int, x: int) -> bool:
    depth, height, width = squared.shape
    v = squared[z, y, x]
    for dz in range(-1, 2):
        for dy in range(-1, 2):
            for dx in range(-1, 2):
                kind = abs(dz) + abs(dy) + abs(dx) - 1
                a, b, c = z + dz, y + dy, x + dx
                if kind < 0 or a < 0 or b < 0 or c < 0 or a >= depth or b >= height or c >= width:
                    continue
                if squared[a, b, c] >= table[kind, v]:
                    return True
    return False


@njit(parallel=True, cache=True)
def _centres(squared: Any, table: Any) -> Any:
    """List z, y, x of the voxels whose ball no neighbour's ball contains, in this order."""
    depth, height, width = squared.shape
    counts = np.zeros(depth + 1, np.int64)
    keep = np.zeros(squared.shape, np.bool_)
    for z in prange(depth):
        for y in range(height):
            for x in range(width):
                if squared[z, y, x] > 0 and not _is_covered(squared, table, z, y, x):
                    keep[z, y, x] = True
                    counts[z + 1] += 1
    starts = np.cumsum(counts)
    out = np.empty((starts[depth], 3), np.int32)
    for z in prange(depth):
        n = starts[z]
        for y in range(height):
            for x in range(width):
                if keep[z, y, x]:
                    out[n, 0], out[n, 1], out[n, 2] = z, y, x
                    n += 1
    return out


@njit(parallel=True, cache=True)
def _paint(out: Any, squared: Any, centres: Any, half: Any, reach: int) -> None:
    """Each thread owns whole slabs of ``out``: no race, and a maximum knows no order."""
    depth, height, width = out.shape
    farthest = half[half.shape[0] - 1]
    first = np.searchsorted(centres[:, 0], np.arange(depth + 1))
    for slab in prange((depth + _SLAB - 1) // _SLAB):
        low, high = slab * _SLAB, min((slab + 1) * _SLAB, depth)
        for n in range(first[max(low - farthest, 0)], first[min(high + farthest, depth)]):
            cz, cy, cx = centres[n, 0], centres[n, 1], centres[n, 2]
            v = squared[cz, cy, cx]
            ball = np.int64(v) - reach
            r = half[ball]
            for z in range(max(low, cz - r), min(high, cz + r + 1)):
                in_plane = ball - (z - cz) ** 2
                ry = half[in_plane]
                for y in range(max(0, cy - ry), min(height, cy + ry + 1)):
                    rx = half[in_plane - (y - cy) ** 2]
                    for x in range(max(0, cx - rx), min(width, cx + rx + 1)):
                        out[z, y, x] = max(out[z, y, x], v)


def local_thickness_bonej(mask: npt.ArrayLike, masked: bool) -> npt.NDArray[np.float32]:
    """Return diameters in voxels, (z, y, x) float32, as BoneJ's and Fiji's Local Thickness give them.

    Closed balls that paint the background too; then voxels next to zero take the mean of their non-zero
    neighbours that are not themselves next to zero; ``masked`` sets zero outside the mask at last.
    Agrees with Fiji's Java to about 1e-5 voxel. Raises `BadInput` as `local_thickness` does.
    """
    solid = checked_mask(mask)
    if not solid.any():
        return np.zeros(solid.shape, np.float32)
    raw = diameters(covering_squared_radius(inner_squared_distance(solid), inclusive=True), 1.0)
    out = _clean_border(raw)
    if masked:
        out[~solid] = 0
    return out


@njit(cache=True)
def _clean_border(raw: Any) -> Any:  # noqa: C901  one kernel
    depth, height, width = raw.shape
    border = np.zeros(raw.shape, np.bool_)
    out = raw.copy()
    for phase in range(2):
        for z in range(depth):
            for y in range(height):
                for x in range(width):
                    if raw[z, y, x] == 0 or (phase == 1 and not border[z, y, x]):
                        continue
                    total, count = 0.0, 0
                    for a in range(max(z - 1, 0), min(z + 2, depth)):
                        for b in range(max(y - 1, 0), min(y + 2, height)):
                            for c in range(max(x - 1, 0), min(x + 2, width)):
                                if phase == 0 and raw[a, b, c] == 0:
                                    border[z, y, x] = True
                                elif phase == 1 and raw[a, b, c] > 0 and not border[a, b, c]:
                                    total += raw[a, b, c]
                                    count += 1
                    if phase == 1 and count > 0:
                        out[z, y, x] = total / count
    return out
