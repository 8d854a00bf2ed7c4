"""Lacunae: the thick part of the network, with touching ones split."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from streamlcn.morphometry._network import Network, around_place
from streamlcn.morphometry._runs import root_of, run_components
from streamlcn.morphometry.settings import MorphometryParameters
from streamlcn.progress import Progress, unheard

__all__ = ["Found", "core_voxels", "lacunae"]

_Labels = npt.NDArray[np.int32]
_PIECES = 16  # of the voxels; after each the share is told
_NEAR = 0.5  # of the depth at which a neck splits: from here a neck is told


@dataclass(frozen=True, slots=True)
class Found:
    """Lacunae of a network: the number of each voxel's (int32, 0: none), their count, and for each whether
    it has a neck nearly deep enough to split it."""

    number: _Labels
    count: int
    is_necked: npt.NDArray[np.bool_]


def core_voxels(
    network: Network,
    radii: npt.NDArray[Any],
    voxel_size_um: float,
    thickness_um: float,
    parameters: MorphometryParameters,
) -> int:
    """Return how many voxels would be lacunar if a lacuna began at ``thickness_um``."""
    return _core(network, radii, voxel_size_um, thickness_um, parameters)[0].size


def _core(
    network: Network,
    radii: npt.NDArray[Any],
    voxel_size_um: float,
    thickness_um: float,
    parameters: MorphometryParameters,
) -> tuple[Network, npt.NDArray[np.int64]]:
    """Return the voxels at least so thick, without components below the least volume, and their numbers.

    This is the opening of the network by a ball. ``radii`` holds squared covering radii in voxels.
    """
    needed = (thickness_um / (2 * voxel_size_um)) ** 2
    thick, numbers = network.part(radii >= max(needed * (1 - 1e-12), 1))
    parts = run_components(thick, 26)
    is_large = parts.voxels * voxel_size_um**3 >= parameters.lacuna_volume_um3
    keep = thick.run_of_voxels(is_large[parts.number])
    return thick.part_of_runs(is_large[parts.number]), numbers[keep]


def lacunae(
    network: Network,
    squared: npt.NDArray[Any],
    radii: npt.NDArray[Any],
    voxel_size_um: float,
    parameters: MorphometryParameters,
    tell: Progress = unheard,
) -> Found:
    """Return lacunae, numbered from 1 in order of their first voxel.

    ``squared`` is the squared distance to the outside, ``radii`` the squared covering radius, one a voxel.
    Touching lacunae are parted by the persistence of their peaks of distance.
    """
    core, numbers = _core(network, radii, voxel_size_um, parameters.lacuna_thickness_um, parameters)
    out = np.zeros(network.size, np.int32)
    if core.size == 0:
        return Found(out, 0, np.zeros(0, np.bool_))
    depths = squared[numbers]
    part, parent, necked = _sets(core, depths, parameters, tell)
    count, is_necked = _renumber(part, parent, necked)
    out[numbers] = part
    return Found(out, int(count), is_necked)


def _sets(
    core: Network, depths: npt.NDArray[Any], parameters: MorphometryParameters, tell: Progress
) -> tuple[_Labels, _Labels, npt.NDArray[np.bool_]]:
    """Return the set of each voxel, the set that each became part of, and which have a neck (from 1)."""
    places, order = core.places(), np.argsort(-depths, kind="stable")
    part, parent = np.zeros(core.size, np.int32), np.zeros(core.size + 1, np.int32)
    peak, necked = np.zeros(core.size + 1, np.float64), np.zeros(core.size + 1, np.bool_)
    split = parameters.split_depth_voxels, parameters.split_depth_fraction
    count = 0
    for n, piece in enumerate(np.array_split(order, _PIECES), start=1):
        count = _climb_down(core, places, depths, piece, *split, part, parent, peak, necked, count)
        tell(n / _PIECES)
    return part, parent, necked


@njit(cache=True)
def _climb_down(
    net: Any, places: Any, squared: Any, order: Any, split_voxels: float, split_fraction: float,
    part: Any, parent: Any, peak: Any, necked: Any, count: int,
) -> int:  # fmt: skip
    """Visit voxels from the deepest outwards; sets that meet become one unless both peaks stand out.

    A voxel belongs to the set that lies most steeply uphill: were it given to the higher set, that one would
    creep around the lower. ``count`` sets there are; returns how many there are then.
    """
    near = np.empty(27, np.int64)
    for n in order:
        place = places[n]
        around_place(net, place, near)
        level = np.sqrt(float(squared[n]))
        best, uphill, steepest = 0, 0, -1.0
        for k in range(27):
            m = near[k]
            if m < 0 or part[m] == 0:
                continue
            run = np.sqrt(float(abs(k // 9 - 1) + abs(k // 3 % 3 - 1) + abs(k % 3 - 1)))
            slope = (np.sqrt(float(squared[m])) - level) / run
            if slope > steepest:
                steepest, uphill = slope, part[m]
            other = root_of(parent, part[m])
            if best == 0 or other == best:
                best = other
                continue
            low, high = other, best
            if peak[low] > peak[high] or (peak[low] == peak[high] and low < high):
                low, high = high, low
            needed = max(split_voxels, split_fraction * peak[low])
            if peak[low] - level < needed:
                parent[low] = high
                necked[high] |= necked[low] or peak[low] - level >= _NEAR * needed
            best = high
        if best == 0:
            count += 1
            parent[count] = uphill = count
            peak[count] = level
        part[n] = uphill
    return count


@njit(cache=True)
def _renumber(part: Any, parent: Any, necked: Any) -> Any:
    number = np.zeros(parent.shape[0], np.int32)
    is_necked = np.zeros(parent.shape[0], np.bool_)
    count = 0
    for n in range(part.shape[0]):
        root = root_of(parent, part[n])
        if number[root] == 0:
            is_necked[count] = necked[root]
            count += 1
            number[root] = count
        part[n] = number[root]
    return count, is_necked[:count].copy()
