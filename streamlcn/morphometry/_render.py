"""A picture of a network seen along y, without a graphics library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit, prange

from streamlcn.morphometry._network import Network

__all__ = ["View", "coloured", "view"]

_LIGHT = np.array([-0.35, 0.45, 0.82])  # from the upper left, towards the eye
_FOG = 0.65  # part of the colour that white takes of what lies deepest
_PIXELS = 900  # least width of a picture


@dataclass(frozen=True, slots=True)
class View:
    """What is seen along y, (row, column) of (z, x), each voxel ``scale`` pixels wide.

    ``hit`` where anything is; ``number`` that of its voxel in the network; ``shade`` and ``fog`` from 0 to 1.
    """

    hit: npt.NDArray[np.bool_]
    number: npt.NDArray[np.int64]
    shade: npt.NDArray[np.float64]
    fog: npt.NDArray[np.float64]
    scale: int


def view(network: Network) -> View:
    """Return the surface of ``network`` seen along y, outlines smoothed below one voxel."""
    from scipy.ndimage import distance_transform_edt, gaussian_filter

    depth: npt.NDArray[np.int32]
    number: npt.NDArray[np.int64]
    depth, number = _first(network)
    scale = min(max(1, -(-_PIXELS // depth.shape[1])), 4)
    depth, number = (np.repeat(np.repeat(a, scale, 0), scale, 1) for a in (depth, number))
    hit = depth >= 0
    if not hit.any():
        blank = np.zeros(hit.shape)
        return View(hit, number, blank, blank, scale)
    nearest: Any = distance_transform_edt(~hit, return_distances=False, return_indices=True)
    depth, number = depth[tuple(nearest)], number[tuple(nearest)]
    outline = gaussian_filter(hit.astype(np.float32), 0.5 * scale) > 0.5
    fog = _FOG * depth / max(network.height, 1)
    return View(outline, number, _shade(depth.astype(np.float64), scale), fog, scale)


def coloured(seen: View, colours: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return an RGB picture (row, column, 3) on white; ``colours`` (n, 3) of the pixels that are hit."""
    image = np.ones((*seen.hit.shape, 3))
    fog = seen.fog[seen.hit][:, None]
    image[seen.hit] = colours * seen.shade[seen.hit][:, None] * (1 - fog) + fog
    return image


@njit(parallel=True, cache=True)
def _first(net: Any) -> Any:
    """Return y and number of the voxel with the least y for each (z, x); -1 and 0 where there is none."""
    depth = np.full((net.depth, net.width), -1, np.int32)
    number = np.zeros((net.depth, net.width), np.int64)
    for z in prange(net.depth):
        for y in range(net.height):
            row = z * net.height + y
            for run in range(net.rows[row], net.rows[row + 1]):
                x = net.start[run]
                for n in range(net.first[run], net.first[run + 1]):
                    if depth[z, x] < 0:
                        depth[z, x] = y
                        number[z, x] = n
                    x += 1
    return depth, number


def _shade(depth: npt.NDArray[np.float64], scale: int) -> npt.NDArray[np.float64]:
    """Return brightness 0 to 1 by Lambert's law on a smoothed surface; depth counts voxels."""
    from scipy.ndimage import gaussian_filter

    smooth = gaussian_filter(depth, 0.9 * scale)
    slope_z, slope_x = (
        np.clip(np.gradient(smooth, axis=axis) * scale, -2, 2) if depth.shape[axis] > 1 else 0 * smooth
        for axis in (0, 1)
    )
    normal = np.stack([slope_x, slope_z, np.ones_like(smooth)])
    normal /= np.linalg.norm(normal, axis=0)
    light = np.clip(np.tensordot(_LIGHT / np.linalg.norm(_LIGHT), normal, 1), 0, 1)
    out: npt.NDArray[np.float64] = 0.45 + 0.55 * light
    return out
