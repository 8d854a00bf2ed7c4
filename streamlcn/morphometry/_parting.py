"""A network parted into lacunae and canaliculi, and what is left of it one voxel in or out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from streamlcn.morphometry._inner import covering_squared_radius, inner_squared_distance
from streamlcn.morphometry._lacunae import Found, lacunae
from streamlcn.morphometry._network import Network
from streamlcn.morphometry._statistics import Tally, radius_counts
from streamlcn.morphometry.settings import MorphometryParameters
from streamlcn.progress import Progress, part_of, unheard

__all__ = ["Moved", "Parted", "moved", "part"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parted:
    """Squared distance to the outside and squared covering radius, one a voxel; lacunae; thickness."""

    squared: npt.NDArray[Any]
    radii: npt.NDArray[Any]
    found: Found
    thin: Tally
    thick: Tally
    all: Tally


def part(
    network: Network,
    voxel_size_um: float,
    parameters: MorphometryParameters,
    tell: Progress = unheard,
) -> Parted:
    """Return the lacunae of a network and the thickness in and outside them."""
    squared = inner_squared_distance(network)
    tell(0.1)
    radii = covering_squared_radius(network, squared)
    tell(0.3)
    found = lacunae(network, squared, radii, voxel_size_um, parameters, part_of(tell, 0.3, 1))
    counts = radius_counts(radii, found.number)
    thin, thick, both = (Tally(c, 2 * voxel_size_um) for c in (counts[0], counts[1], counts.sum(axis=0)))
    return Parted(squared=squared, radii=radii, found=found, thin=thin, thick=thick, all=both)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What becomes of the headline numbers when the surface of the network moves by one voxel."""

    porosity: float
    porosity_of_bone: float | None
    lacunar: float | None = None
    canalicular: float | None = None
    thickness: float | None = None
    diameter: float | None = None
    count: int | None = None


def moved(
    network: Network,
    tissue_voxels: int,
    voxel_size_um: float,
    parameters: MorphometryParameters,
    tell: Progress = unheard,
) -> Moved:
    """Measure what a mask one voxel off would give; porosity only where it fills the whole volume."""
    bone_voxels = tissue_voxels - network.size
    porosity = network.size / tissue_voxels
    of_bone = network.size / bone_voxels if bone_voxels else None
    if network.size == np.prod(network.shape, dtype=np.int64):
        return Moved(porosity=porosity, porosity_of_bone=of_bone)
    parted = part(network, voxel_size_um, parameters, tell)
    return Moved(
        porosity=porosity,
        porosity_of_bone=of_bone,
        lacunar=parted.thick.total / tissue_voxels,
        canalicular=parted.thin.total / tissue_voxels,
        thickness=parted.all.mean,
        diameter=parted.thin.mean,
        count=parted.found.count,
    )
