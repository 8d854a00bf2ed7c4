"""A picture of a mask seen along y, without a graphics library."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit, prange

__all__ = ["depth_map", "shaded"]

_LIGHT = np.array([-0.35, 0.45, 0.82])  # from the upper left, towards the eye


def depth_map(mask: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Return (z, x) depth of the first voxel along y (-1: none) and its flat index in ``mask``."""
    depth: Any
    index: Any
    depth, index = _first(mask)
    return depth, index


@njit(parallel=True, cache=True)
def _first(mask: Any) -> Any:
    planes, height, width = mask.shape
    depth = np.full((planes, width), -1, np.int32)
    index = np.zeros((planes, width), np.int64)
    for z in prange(planes):
        for y in range(height):
            for x in range(width):
                if mask[z, y, x] and depth[z, x] < 0:
                    depth[z, x] = y
                    index[z, x] = (z * height + y) * width + x
    return depth, index


def shaded(depth: npt.NDArray[np.int32], farthest: int) -> npt.NDArray[np.float64]:
    """Return brightness 0 to 1: Lambert's law on a smoothed surface, dimmer with depth."""
    from scipy.ndimage import gaussian_filter

    hit = depth >= 0
    weight = gaussian_filter(hit.astype(np.float64), 1.0)
    smooth = gaussian_filter(np.where(hit, depth, 0.0), 1.0) / np.maximum(weight, 1e-9)
    slope_z, slope_x = (
        np.clip(np.gradient(smooth, axis=axis), -3, 3) if smooth.shape[axis] > 1 else np.zeros_like(smooth)
        for axis in (0, 1)
    )
    normal = np.stack([slope_x, slope_z, np.ones_like(smooth)])
    normal /= np.linalg.norm(normal, axis=0)
    light = np.clip(np.tensordot(_LIGHT / np.linalg.norm(_LIGHT), normal, 1), 0, 1)
    out: npt.NDArray[np.float64] = (0.35 + 0.65 * light) * (
        1 - 0.55 * np.clip(depth, 0, None) / max(farthest, 1)
    )
    return out
