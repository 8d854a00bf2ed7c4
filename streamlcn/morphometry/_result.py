"""What morphometry gives: numbers by name, JSON-ready, and the maps beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from streamlcn.morphometry._network import Network
from streamlcn.morphometry._thickness import diameters
from streamlcn.morphometry.settings import MorphometryParameters

__all__ = ["Analysis", "Morphometry", "SlabAnalysis"]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tissue(_Section):
    """Bone and LCN; without background."""

    volume_um3: float


class Bone(_Section):
    """Tissue that is not LCN."""

    volume_um3: float


class Lcn(_Section):
    """The network. Names with minus_1, plus_1 hold after moving its surface one voxel in or out."""

    volume_um3: float
    porosity: float = Field(description="LCN over bone plus LCN")
    porosity_of_bone: float | None = Field(description="LCN over bone; none where no bone is left")
    lacunar_porosity: float
    canalicular_porosity: float
    porosity_minus_1_voxel: float
    porosity_plus_1_voxel: float
    porosity_of_bone_minus_1_voxel: float | None
    porosity_of_bone_plus_1_voxel: float | None
    lacunar_porosity_minus_1_voxel: float | None
    lacunar_porosity_plus_1_voxel: float | None
    canalicular_porosity_minus_1_voxel: float | None
    canalicular_porosity_plus_1_voxel: float | None
    surface_um2: float = Field(description="Crofton, 13 directions; faces of the volume count")
    surface_per_volume_per_um: float | None
    thickness_mean_um: float | None
    thickness_median_um: float | None
    thickness_sd_um: float | None
    thickness_p05_um: float | None
    thickness_p95_um: float | None
    thickness_max_um: float | None
    thickness_mean_minus_1_voxel_um: float | None
    thickness_mean_plus_1_voxel_um: float | None
    at_resolution_floor_fraction: float | None = Field(description="LCN voxels as thin as 2 voxels")
    below_resolution_fraction: float | None = Field(description="LCN voxels thinner than resolution_um")
    resolution_um: float = Field(description="what is thinner is at the limit of the microscope: no diameter")
    removed_island_fraction: float | None
    orphan_fraction: float | None = Field(description="LCN voxels in no cell")
    component_count: int = Field(description="26-connected components after cleaning (the paper's ROIs)")
    largest_component_fraction: float | None
    euler: int = Field(description="26-connected, faces of the volume closed")
    cavity_count: int = Field(description="enclosed holes left after cleaning, 6-connected")
    loop_count: int = Field(description="independent loops: components + cavities - Euler number")


class Lacunae(_Section):
    """Lacunae and one row for each."""

    count: int
    cut_count: int = Field(description="touch a face of the volume")
    count_minus_1_voxel: int | None
    count_plus_1_voxel: int | None
    density_per_mm3: float = Field(description="all lacunae over tissue volume")
    whole_density_per_mm3: float = Field(description="lacunae not cut by a face over tissue volume")
    volume_um3: float
    volume_median_um3: float | None = Field(description="of whole lacunae")
    rows: list[dict[str, Any]]


class Canaliculi(_Section):
    """The network outside lacunae, as centre lines and as volume."""

    volume_um3: float
    length_um: float
    length_density_um_per_um3: float = Field(description="length over tissue volume")
    branches: int
    branch_length_mean_um: float | None
    junctions: int
    junction_density_per_um3: float = Field(description="junctions over tissue volume")
    end_points: int = Field(description="all ends of centre lines")
    end_points_at_lacunae: int = Field(description="ends that touch a lacuna")
    end_points_at_border: int = Field(description="other ends whose inscribed ball reaches a face")
    tortuosity: float | None
    diameter_mean_um: float | None = Field(description="local thickness, volume-weighted")
    diameter_sd_um: float | None
    diameter_median_um: float | None
    diameter_p05_um: float | None
    diameter_p95_um: float | None
    diameter_mean_minus_1_voxel_um: float | None
    diameter_mean_plus_1_voxel_um: float | None
    diameter_centre_line_mean_um: float | None = Field(
        description="twice the distance to the outside on centre lines, so weighted by length"
    )
    diameter_centre_line_median_um: float | None
    diameter_centre_line_p05_um: float | None
    diameter_centre_line_p95_um: float | None


class Distance(_Section):
    """From bone voxel centres to the nearest voxel centre of something."""

    mean_um: float | None
    p25_um: float | None
    median_um: float | None
    p75_um: float | None
    p95_um: float | None
    p99_um: float | None
    max_um: float | None


class Orientation(_Section):
    """Alignment of the long axes of whole lacunae."""

    order_parameter: float | None
    lacuna_count: int


class Cleaning(_Section):
    """Voxels changed by each step, in their order."""

    background_excluded_voxels: int = Field(description="outside the tissue, in no denominator")
    shade_off_merged_voxels: int
    islands_removed: int
    islands_removed_voxels: int
    holes_filled_voxels: int
    closing_added_voxels: int


class Morphometry(_Section):
    """All numbers of one label volume, with the parameters that gave them and what to beware of."""

    voxel_size_um: float
    shape: tuple[int, int, int]
    tissue: Tissue
    bone: Bone
    lcn: Lcn
    lacunae: Lacunae
    canaliculi: Canaliculi
    distance_to_pore: Distance
    distance_to_lacuna: Distance
    orientation: Orientation
    cleaning: Cleaning
    parameters: MorphometryParameters
    flags: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """Numbers and maps of one volume.

    ``lcn`` bool, ``lacunae`` and ``cells`` int32, ``thickness`` float32 um (0 outside), all (z, y, x);
    ``lacunae_table`` one row a lacuna; ``thickness_histogram``: lower_um, upper_um, volume_um3, fraction,
    lacunar_volume_um3, canalicular_volume_um3, is_at_resolution_limit.
    """

    morphometry: Morphometry
    lcn: npt.NDArray[np.bool_]
    lacunae: npt.NDArray[np.int32]
    cells: npt.NDArray[np.int32]
    thickness: npt.NDArray[np.float32]
    lacunae_table: dict[str, npt.NDArray[Any]]
    thickness_histogram: dict[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class SlabAnalysis:
    """Numbers of one volume and its maps in slabs; tables as in `Analysis`.

    ``lacunae``, ``cells``, ``squared_radii``: one entry a voxel of ``network``.
    """

    morphometry: Morphometry
    lacunae_table: dict[str, npt.NDArray[Any]]
    thickness_histogram: dict[str, npt.NDArray[Any]]
    network: Network
    lacunae: npt.NDArray[np.int32]
    cells: npt.NDArray[np.int32]
    squared_radii: npt.NDArray[np.int32]

    def maps(self, start: int, stop: int) -> dict[str, npt.NDArray[Any]]:
        """Return slices ``start`` to ``stop`` of ``lcn``, ``lacunae``, ``cells`` and ``thickness``."""
        thickness = diameters(self.squared_radii, self.morphometry.voxel_size_um)
        return {
            "lcn": self.network.dense(None, start, stop),
            "lacunae": self.network.dense(self.lacunae, start, stop),
            "cells": self.network.dense(self.cells, start, stop),
            "thickness": self.network.dense(thickness, start, stop),
        }
