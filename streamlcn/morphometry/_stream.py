"""Local thickness of a volume larger than memory, slab by slab."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from streamlcn.errors import BadInput
from streamlcn.morphometry._check import checked_mask, checked_voxel_size
from streamlcn.morphometry._inner import inner_squared_distance
from streamlcn.morphometry._network import network_of
from streamlcn.morphometry._source import Read
from streamlcn.morphometry._thickness import local_thickness

__all__ = ["local_thickness_streamed"]


def local_thickness_streamed(
    read: Read, depth: int, voxel_size_um: float, slab_height: int = 64
) -> Iterator[npt.NDArray[np.float32]]:
    """Yield the bits of `local_thickness`, ``slab_height`` slices at a time.

    ``read(start, stop)`` returns slices of the boolean (z, y, x) mask of ``depth`` slices. The volume is read
    twice: once to find the largest radius r, once with 2 r slices of halo on each side, which makes each slab
    exact. Holds slab_height + 4 r slices. Errors as of `local_thickness`.
    """
    voxel = checked_voxel_size(voxel_size_um)
    if slab_height < 1 or depth < 1:
        raise BadInput(f"slab_height {slab_height} and depth {depth} must be at least 1 slice")
    radius = _largest_radius(read, depth, slab_height)
    for start in range(0, depth, slab_height):
        low, high = max(start - 2 * radius, 0), min(start + slab_height + 2 * radius, depth)
        mask = checked_mask(read(low, high))
        own = slice(start - low, min(start + slab_height, depth) - low)
        yield local_thickness(mask, voxel)[own]


def _largest_radius(read: Read, depth: int, slab_height: int) -> int:
    """Return a whole number of voxels that no distance to the outside exceeds."""
    largest = 1
    for start in range(0, depth, slab_height):
        halo = largest
        while True:
            low, high = max(start - halo, 0), min(start + slab_height + halo, depth)
            mask = checked_mask(read(low, high))
            is_whole = (low, high) == (0, depth)
            if is_whole or not mask.all():
                network = network_of(mask)
                squared = network.dense(inner_squared_distance(network))
                own = slice(start - low, min(start + slab_height, depth) - low)
                reach = int(np.ceil(np.sqrt(squared[own].max())))
                if is_whole or reach <= halo:
                    largest = max(largest, reach)
                    break
            halo *= 2
    return largest
