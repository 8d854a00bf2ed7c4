"""The numbers of a volume, by section."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from streamlcn.morphometry._clean import Cleaned
from streamlcn.morphometry._configurations import euler_of, surface_of
from streamlcn.morphometry._parting import Moved, Parted
from streamlcn.morphometry._result import (
    Bone,
    Canaliculi,
    Cleaning,
    Distance,
    Lacunae,
    Lcn,
    Morphometry,
    Orientation,
    Tissue,
)
from streamlcn.morphometry._runs import complement, run_components
from streamlcn.morphometry._shape import order_parameter
from streamlcn.morphometry._skeleton import CentreLines, ends
from streamlcn.morphometry._statistics import Tally
from streamlcn.morphometry.settings import MorphometryParameters

__all__ = ["Measured", "summary"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """All that the numbers are made of; ``cell`` and ``places`` hold one entry a voxel of the network."""

    voxel: float
    cleaned: Cleaned
    parted: Parted
    inner: Moved
    outer: Moved
    cell: npt.NDArray[np.int32]
    places: npt.NDArray[np.int64]
    lines: CentreLines
    rows: list[dict[str, Any]]
    to_pore: Tally
    to_lacuna: Tally

    @property
    def tissue_um3(self) -> float:
        """Volume of bone and LCN."""
        return self.cleaned.tissue_voxels * self.voxel**3


def summary(found: Measured, parameters: MorphometryParameters) -> Morphometry:
    """Return the numbers of a volume, without flags."""
    cleaned = found.cleaned
    return Morphometry(
        voxel_size_um=found.voxel,
        shape=cleaned.lcn.shape,
        tissue=Tissue(volume_um3=found.tissue_um3),
        bone=Bone(volume_um3=(cleaned.tissue_voxels - cleaned.lcn.size) * found.voxel**3),
        lcn=Lcn(
            **_porosities(found),
            **_thicknesses(found, parameters),
            **_connections(found),
            **_quality(found, parameters),
        ),
        lacunae=_lacunae(found),
        canaliculi=_canaliculi(found),
        distance_to_pore=_distance(found.to_pore),
        distance_to_lacuna=_distance(found.to_lacuna),
        orientation=_orientation(found.rows),
        cleaning=Cleaning(
            background_excluded_voxels=cleaned.counts.background_voxels,
            **{name: getattr(cleaned.counts, name) for name in cleaned.counts._fields[2:]},
        ),
        parameters=parameters,
        flags=[],
    )


def _porosities(found: Measured) -> dict[str, Any]:
    total, tissue = found.cleaned.lcn.size, found.cleaned.tissue_voxels
    out = {
        "volume_um3": total * found.voxel**3,
        "porosity": total / tissue,
        "porosity_of_bone": total / (tissue - total) if total < tissue else None,
        "lacunar_porosity": found.parted.thick.total / tissue,
        "canalicular_porosity": found.parted.thin.total / tissue,
    }
    for moved, end in ((found.inner, "minus_1_voxel"), (found.outer, "plus_1_voxel")):
        out |= {
            f"porosity_{end}": moved.porosity,
            f"porosity_of_bone_{end}": moved.porosity_of_bone,
            f"lacunar_porosity_{end}": moved.lacunar,
            f"canalicular_porosity_{end}": moved.canalicular,
        }
    return out


def _thicknesses(found: Measured, parameters: MorphometryParameters) -> dict[str, Any]:
    spread = found.parted.all
    return {
        "thickness_mean_um": spread.mean,
        "thickness_median_um": spread.percentile(50),
        "thickness_sd_um": spread.sd,
        "thickness_p05_um": spread.percentile(5),
        "thickness_p95_um": spread.percentile(95),
        "thickness_max_um": spread.largest,
        "thickness_mean_minus_1_voxel_um": found.inner.thickness,
        "thickness_mean_plus_1_voxel_um": found.outer.thickness,
        "at_resolution_floor_fraction": spread.fraction_below(2.5 * found.voxel),
        "below_resolution_fraction": spread.fraction_below(parameters.resolution_um),
    }


def _connections(found: Measured) -> dict[str, Any]:
    """Surface and topology: objects minus tunnels plus cavities is the Euler number."""
    network, total = found.cleaned.lcn, found.cleaned.lcn.size
    surface = surface_of(found.cleaned.configurations, found.voxel)
    objects = run_components(network, 26).voxels
    cavities = int((~run_components(complement(network), 6).touches).sum())
    euler = euler_of(found.cleaned.configurations, 26)
    return {
        "surface_um2": surface,
        "surface_per_volume_per_um": surface / (total * found.voxel**3) if total else None,
        "component_count": len(objects),
        "largest_component_fraction": float(objects.max() / total) if total else None,
        "euler": euler,
        "cavity_count": cavities,
        "loop_count": len(objects) + cavities - euler,
    }


def _quality(found: Measured, parameters: MorphometryParameters) -> dict[str, Any]:
    counts, total = found.cleaned.counts, found.cleaned.lcn.size
    labelled = counts.labelled_lcn_voxels
    orphans = int(np.count_nonzero(found.cell == 0))
    return {
        "resolution_um": parameters.resolution_um,
        "removed_island_fraction": counts.islands_removed_voxels / labelled if labelled else None,
        "orphan_fraction": orphans / total if total else None,
    }


def _lacunae(found: Measured) -> Lacunae:
    rows = found.rows
    whole = [row["volume_um3"] for row in rows if not row["is_cut_by_border"]]
    per_mm3 = 1e9 / found.tissue_um3
    return Lacunae(
        count=len(rows),
        cut_count=len(rows) - len(whole),
        count_minus_1_voxel=found.inner.count,
        count_plus_1_voxel=found.outer.count,
        density_per_mm3=len(rows) * per_mm3,
        whole_density_per_mm3=len(whole) * per_mm3,
        volume_um3=found.parted.thick.total * found.voxel**3,
        volume_median_um3=float(np.median(whole)) if whole else None,
        rows=rows,
    )


def _canaliculi(found: Measured) -> Canaliculi:
    lines, thin, voxel = found.lines, found.parted.thin, found.voxel
    length = float(lines.lengths.sum()) * voxel
    at_lacunae, at_border = ends(
        found.cleaned.lcn, found.places, found.parted.found.number, found.parted.squared, lines
    )
    along = Tally(np.bincount(found.parted.squared[lines.voxels]), 2 * voxel)
    return Canaliculi(
        volume_um3=thin.total * voxel**3,
        length_um=length,
        length_density_um_per_um3=length / found.tissue_um3,
        branches=len(lines.lengths),
        branch_length_mean_um=length / len(lines.lengths) if len(lines.lengths) else None,
        junctions=lines.junctions,
        junction_density_per_um3=lines.junctions / found.tissue_um3,
        end_points=len(lines.end_voxels),
        end_points_at_lacunae=at_lacunae,
        end_points_at_border=at_border,
        tortuosity=lines.tortuosity,
        diameter_mean_um=thin.mean,
        diameter_sd_um=thin.sd,
        diameter_median_um=thin.percentile(50),
        diameter_p05_um=thin.percentile(5),
        diameter_p95_um=thin.percentile(95),
        diameter_mean_minus_1_voxel_um=found.inner.diameter,
        diameter_mean_plus_1_voxel_um=found.outer.diameter,
        diameter_centre_line_mean_um=along.mean,
        diameter_centre_line_median_um=along.percentile(50),
        diameter_centre_line_p05_um=along.percentile(5),
        diameter_centre_line_p95_um=along.percentile(95),
    )


def _distance(tally: Tally) -> Distance:
    return Distance(
        mean_um=tally.mean,
        p25_um=tally.percentile(25),
        median_um=tally.percentile(50),
        p75_um=tally.percentile(75),
        p95_um=tally.percentile(95),
        p99_um=tally.percentile(99),
        max_um=tally.largest,
    )


def _orientation(rows: list[dict[str, Any]]) -> Orientation:
    axes = [row["axis"] for row in rows if not row["is_cut_by_border"]]
    return Orientation(order_parameter=order_parameter(axes) if axes else None, lacuna_count=len(axes))
