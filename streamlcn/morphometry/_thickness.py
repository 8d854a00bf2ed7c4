"""Local thickness: the diameter of the largest ball inside the pore that covers a voxel."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from streamlcn.morphometry._check import checked_mask, checked_voxel_size
from streamlcn.morphometry._inner import covering_squared_radius, inner_squared_distance
from streamlcn.morphometry._network import network_of

__all__ = ["diameters", "local_thickness"]


def local_thickness(mask: npt.ArrayLike, voxel_size_um: float) -> npt.NDArray[np.float32]:
    """Return the local thickness in um of each voxel of ``mask``, (z, y, x) float32, 0 outside.

    T(p) = 2 max{D(x) : |p - x| < D(x)} over the voxels x of the mask, where D(x) is the distance of x to the
    nearest voxel centre outside (Hildebrand & Rüegsegger 1997). Exact: whole numbers throughout, and the same
    bits for any number of threads. Faces of the volume bound nothing. An empty mask gives zeros.
    Raises `BadInput` for a mask that is not boolean or fills the volume, and for voxels that are not cubic.
    """
    solid, voxel = checked_mask(mask), checked_voxel_size(voxel_size_um)
    network = network_of(solid)
    radii = covering_squared_radius(network, inner_squared_distance(network))
    return network.dense(diameters(radii, voxel))


def diameters(squared_radius: npt.NDArray[Any], voxel_size_um: float) -> npt.NDArray[np.float32]:
    """Return 2 sqrt(v) times the voxel size as float32."""
    largest = int(squared_radius.max(initial=0))
    if largest >= squared_radius.size:
        return (2.0 * voxel_size_um * np.sqrt(squared_radius.astype(np.float64))).astype(np.float32)
    table = (2.0 * voxel_size_um * np.sqrt(np.arange(largest + 1.0))).astype(np.float32)
    return table[squared_radius]
