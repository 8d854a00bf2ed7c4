"""How many canaliculi leave a lacuna."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from streamlcn.errors import BadInput
from streamlcn.morphometry._check import checked_mask
from streamlcn.morphometry._network import network_of
from streamlcn.morphometry._runs import run_components
from streamlcn.morphometry._shape import Moments

__all__ = ["leaving", "primary_canaliculi"]


def primary_canaliculi(
    lcn: npt.ArrayLike,
    lacunae: npt.NDArray[np.int32],
    inner_voxels: float = 5.0,
    outer_voxels: float = 6.5,
) -> list[int]:
    """Return, for lacuna labels 1, 2, ... in turn, how many canaliculi leave it.

    These are the 26-components of the LCN outside all lacunae at a distance d from the lacuna with
    ``inner_voxels`` < d <= ``outer_voxels``. Raises `BadInput` where shapes differ.
    """
    solid, instances = checked_mask(lcn), np.asarray(lacunae)
    if instances.shape != solid.shape or instances.dtype.kind not in "ui":
        raise BadInput(
            f"lacunae are {instances.dtype} {instances.shape}; integers of {solid.shape} are needed"
        )
    sums = Moments.of_labels(instances, int(instances.max(initial=0)))
    margin = int(np.ceil(outer_voxels)) + 1
    out = []
    for n in range(len(sums.count)):
        box = sums.slices(n, margin, solid.shape)
        codes = np.where(solid[box], instances[box].astype(np.int64), -1)
        out.append(leaving(codes, n + 1, inner_voxels, outer_voxels) if sums.count[n] else 0)
    return out


def leaving(codes: npt.NDArray[Any], number: int, inner_voxels: float, outer_voxels: float) -> int:
    """Return how many canaliculi leave lacuna ``number`` in a box with enough margin about it.

    ``codes`` (z, y, x): the lacuna of each voxel, 0 in canaliculi, -1 outside the network.
    """
    shell = _shell(codes, number, inner_voxels**2, outer_voxels**2)
    return len(run_components(network_of(shell), 26).voxels)


@njit(cache=True)
def _shell(codes: Any, number: int, inner: float, outer: float) -> Any:  # noqa: C901  one kernel
    """Return canaliculi with a squared distance to the lacuna above ``inner`` and at most ``outer``."""
    depth, height, width = codes.shape
    reach = int(np.sqrt(outer))
    nearest = np.full(codes.shape, np.int32(2**30))
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                if codes[z, y, x] != number or _is_inside(codes, number, z, y, x):
                    continue
                for a in range(max(z - reach, 0), min(z + reach + 1, depth)):
                    for b in range(max(y - reach, 0), min(y + reach + 1, height)):
                        for c in range(max(x - reach, 0), min(x + reach + 1, width)):
                            d = (a - z) * (a - z) + (b - y) * (b - y) + (c - x) * (c - x)
                            nearest[a, b, c] = min(nearest[a, b, c], d)
    out = np.zeros(codes.shape, np.bool_)
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                if codes[z, y, x] == 0:
                    out[z, y, x] = inner < nearest[z, y, x] <= outer
    return out


@njit(cache=True)
def _is_inside(codes: Any, number: int, z: int, y: int, x: int) -> bool:
    """Return whether all 6 neighbours are the same lacuna: then none outside is nearest to this voxel."""
    depth, height, width = codes.shape
    if z == 0 or y == 0 or x == 0 or z == depth - 1 or y == height - 1 or x == width - 1:
        return False
    same = codes[z - 1, y, x] == number and codes[z + 1, y, x] == number
    same &= codes[z, y - 1, x] == number and codes[z, y + 1, x] == number
    return same and codes[z, y, x - 1] == number and codes[z, y, x + 1] == number
