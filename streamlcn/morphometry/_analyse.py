"""From labels to all numbers and maps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from streamlcn.morphometry._check import checked_labels, checked_voxel_size
from streamlcn.morphometry._clean import Cleaned, clean, dilated, eroded
from streamlcn.morphometry._components import label, sizes
from streamlcn.morphometry._configurations import configuration_histogram, euler_of, surface_of
from streamlcn.morphometry._distance import inner_squared_distance, squared_distance_histogram
from streamlcn.morphometry._flags import flags
from streamlcn.morphometry._lacunae import cells, core, lacunae
from streamlcn.morphometry._result import (
    Analysis,
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
from streamlcn.morphometry._rows import lacuna_rows, lacunae_table
from streamlcn.morphometry._shape import order_parameter
from streamlcn.morphometry._skeleton import CentreLines, centre_lines
from streamlcn.morphometry._statistics import Tally, radius_counts, thickness_histogram
from streamlcn.morphometry._thickness import covering_squared_radius, diameters
from streamlcn.morphometry.settings import MorphometryParameters

__all__ = ["analyse", "label_maps", "measure"]

_Mask = npt.NDArray[np.bool_]
_DEFAULT = MorphometryParameters()


def measure(
    labels: npt.ArrayLike, voxel_size_um: float, *, classes: Mapping[str, int] | None = None
) -> Morphometry:
    """Return the morphometry of (z, y, x) integer ``labels``: 0 background, 1 bone, 2 lcn, 3 shade_off.

    ``classes`` names other values, such as ``{"bone": 128, "lcn": 255}``. An empty network gives porosity 0,
    None for what it has not, and a flag. Raises `BadInput` for unknown values, types that are not integers,
    voxels that are not cubic, and volumes without bone.
    """
    return analyse(checked_labels(labels, classes), voxel_size_um).morphometry


def label_maps(labels: npt.ArrayLike, voxel_size_um: float) -> dict[str, npt.NDArray[Any]]:
    """Return the cleaned network ``lcn`` (bool), ``lacunae`` and ``cells`` (int32), all (z, y, x)."""
    analysis = analyse(labels, voxel_size_um)
    return {"lcn": analysis.lcn, "lacunae": analysis.lacunae, "cells": analysis.cells}


@dataclass(frozen=True, slots=True)
class _Parted:
    """A network parted into lacunae and canaliculi."""

    squared: npt.NDArray[Any]
    radii: npt.NDArray[Any]
    lacunae: npt.NDArray[np.int32]
    count: int
    thin: Tally
    thick: Tally
    all: Tally


def _part(lcn: _Mask, voxel: float, parameters: MorphometryParameters) -> _Parted:
    if lcn.any():
        squared = inner_squared_distance(lcn)
        radii = covering_squared_radius(squared, inclusive=False)
    else:
        squared = radii = np.zeros(lcn.shape, np.uint16)
    instances, count = lacunae(squared, radii, voxel, parameters)
    counts = radius_counts(radii, instances)
    tallies = (Tally(c, 2 * voxel) for c in (counts[0], counts[1], counts.sum(axis=0)))
    return _Parted(squared, radii, instances, count, *tallies)


@dataclass(frozen=True, slots=True)
class _Moved:
    """What is left of the headline numbers when the surface of the network moves by one voxel."""

    porosity: float
    lacunar: float | None = None
    canalicular: float | None = None
    thickness: float | None = None
    diameter: float | None = None
    count: int | None = None


def _moved(lcn: _Mask, tissue_voxels: int, voxel: float, parameters: MorphometryParameters) -> _Moved:
    if lcn.all():
        return _Moved(1.0)
    parted = _part(lcn, voxel, parameters)
    return _Moved(
        parted.all.total / tissue_voxels,
        parted.thick.total / tissue_voxels,
        parted.thin.total / tissue_voxels,
        parted.all.mean,
        parted.thin.mean,
        parted.count,
    )


def analyse(
    labels: npt.ArrayLike, voxel_size_um: float, parameters: MorphometryParameters = _DEFAULT
) -> Analysis:
    """Return morphometry with maps and tables of (z, y, x) integer ``labels``; errors as of `measure`."""
    voxel = checked_voxel_size(voxel_size_um)
    cleaned = clean(checked_labels(labels), parameters)
    lcn, tissue_voxels = cleaned.lcn, int(np.count_nonzero(cleaned.tissue))
    inner = _moved(eroded(lcn), tissue_voxels, voxel, parameters)
    outer = _moved(dilated(lcn) & cleaned.tissue, tissue_voxels, voxel, parameters)
    parted = _part(lcn, voxel, parameters)
    lines = centre_lines(lcn, parted.lacunae > 0, parameters.skeleton_smoothing_voxels)
    cell_map = cells(lcn, parted.lacunae)
    rows = lacuna_rows(
        lcn, cleaned.filled, parted.radii, parted.lacunae, cell_map, parted.count, voxel, parameters
    )
    orphans = parted.all.total - int(np.count_nonzero(cell_map))
    bone = cleaned.tissue & ~lcn
    values = Morphometry(
        voxel_size_um=voxel,
        shape=lcn.shape,
        tissue=Tissue(volume_um3=tissue_voxels * voxel**3),
        bone=Bone(volume_um3=(tissue_voxels - parted.all.total) * voxel**3),
        lcn=_lcn(cleaned, tissue_voxels, parted, orphans, (inner, outer), voxel, parameters),
        lacunae=_lacunae(rows, tissue_voxels, parted, (inner, outer), voxel),
        canaliculi=_canaliculi(lines, tissue_voxels, parted, (inner, outer), voxel),
        distance_to_pore=_distance(lcn, bone, voxel),
        distance_to_lacuna=_distance(parted.lacunae > 0, bone, voxel),
        orientation=_orientation(rows),
        cleaning=_cleaning(cleaned),
        parameters=parameters,
        flags=[],
    )
    thickness_by_cut = {
        um: _core_voxels(parted.radii, voxel, um * parameters.lacuna_thickness_um, parameters)
        for um in (0.8, 1.0, 1.3)
    }
    return Analysis(
        morphometry=values.model_copy(update={"flags": flags(values, thickness_by_cut)}),
        lcn=lcn,
        lacunae=parted.lacunae,
        cells=cell_map,
        thickness=diameters(parted.radii, voxel),
        lacunae_table=lacunae_table(rows),
        thickness_histogram=thickness_histogram(
            parted.thin, parted.thick, voxel, parameters.histogram_bin_um
        ),
    )


def _core_voxels(
    radii: npt.NDArray[Any], voxel: float, cut_um: float, parameters: MorphometryParameters
) -> int:
    return int(np.count_nonzero(core(radii, voxel, cut_um, parameters.lacuna_volume_um3)))


def _lcn(
    cleaned: Cleaned,
    tissue_voxels: int,
    parted: _Parted,
    orphans: int,
    moved: tuple[_Moved, _Moved],
    voxel: float,
    parameters: MorphometryParameters,
) -> Lcn:
    inner, outer = moved
    total, spread = parted.all.total, parted.all
    configurations = configuration_histogram(cleaned.lcn)
    component_sizes = sizes(*label(cleaned.lcn, 26))[1:]
    surface = surface_of(configurations, voxel)
    labelled = cleaned.labelled_lcn_voxels
    return Lcn(
        volume_um3=total * voxel**3,
        porosity=total / tissue_voxels,
        porosity_of_bone=total / (tissue_voxels - total) if total < tissue_voxels else None,
        lacunar_porosity=parted.thick.total / tissue_voxels,
        canalicular_porosity=parted.thin.total / tissue_voxels,
        porosity_minus_1_voxel=inner.porosity,
        porosity_plus_1_voxel=outer.porosity,
        lacunar_porosity_minus_1_voxel=inner.lacunar,
        lacunar_porosity_plus_1_voxel=outer.lacunar,
        canalicular_porosity_minus_1_voxel=inner.canalicular,
        canalicular_porosity_plus_1_voxel=outer.canalicular,
        surface_um2=surface,
        surface_per_volume_per_um=surface / (total * voxel**3) if total else None,
        thickness_mean_um=spread.mean,
        thickness_median_um=spread.percentile(50),
        thickness_sd_um=spread.sd,
        thickness_p05_um=spread.percentile(5),
        thickness_p95_um=spread.percentile(95),
        thickness_max_um=spread.largest,
        thickness_mean_minus_1_voxel_um=inner.thickness,
        thickness_mean_plus_1_voxel_um=outer.thickness,
        at_resolution_floor_fraction=spread.fraction_below(2.5 * voxel),
        below_resolution_fraction=spread.fraction_below(parameters.resolution_um),
        removed_island_fraction=cleaned.islands_removed_voxels / labelled if labelled else None,
        orphan_fraction=orphans / total if total else None,
        component_count=len(component_sizes),
        largest_component_fraction=float(component_sizes.max() / total) if total else None,
        euler=euler_of(configurations, 26),
    )


def _lacunae(
    rows: list[dict[str, Any]],
    tissue_voxels: int,
    parted: _Parted,
    moved: tuple[_Moved, _Moved],
    voxel: float,
) -> Lacunae:
    whole = [row["volume_um3"] for row in rows if not row["is_cut_by_border"]]
    per_mm3 = 1e9 / (tissue_voxels * voxel**3)
    return Lacunae(
        count=len(rows),
        cut_count=len(rows) - len(whole),
        count_minus_1_voxel=moved[0].count,
        count_plus_1_voxel=moved[1].count,
        density_per_mm3=len(rows) * per_mm3,
        whole_density_per_mm3=len(whole) * per_mm3,
        volume_um3=parted.thick.total * voxel**3,
        volume_median_um3=float(np.median(whole)) if whole else None,
        rows=rows,
    )


def _canaliculi(
    lines: CentreLines, tissue_voxels: int, parted: _Parted, moved: tuple[_Moved, _Moved], voxel: float
) -> Canaliculi:
    length = float(lines.lengths.sum()) * voxel
    return Canaliculi(
        volume_um3=parted.thin.total * voxel**3,
        length_um=length,
        length_density_um_per_um3=length / (tissue_voxels * voxel**3),
        branches=len(lines.paths),
        junctions=lines.junctions,
        end_points=len(lines.end_points),
        tortuosity=lines.tortuosity,
        diameter_mean_um=parted.thin.mean,
        diameter_median_um=parted.thin.percentile(50),
        diameter_mean_minus_1_voxel_um=moved[0].diameter,
        diameter_mean_plus_1_voxel_um=moved[1].diameter,
        diameter_centre_line_mean_um=_centre_line_diameter(lines, parted.squared, voxel),
    )


def _centre_line_diameter(lines: CentreLines, squared: npt.NDArray[Any], voxel: float) -> float | None:
    """Return twice the distance to the outside on centre lines, each branch weighted by its length."""
    if not lines.paths or lines.lengths.sum() == 0:
        return None
    mean = [np.sqrt(squared[tuple(p.astype(np.int64).T)].astype(np.float64)).mean() for p in lines.paths]
    return float(2 * voxel * np.average(mean, weights=lines.lengths))


def _distance(target: _Mask, bone: _Mask, voxel: float) -> Distance:
    tally = Tally(squared_distance_histogram(target, bone), voxel)
    return Distance(
        mean_um=tally.mean,
        median_um=tally.percentile(50),
        p95_um=tally.percentile(95),
        max_um=tally.largest,
    )


def _orientation(rows: list[dict[str, Any]]) -> Orientation:
    axes = [row["axis"] for row in rows if not row["is_cut_by_border"]]
    return Orientation(order_parameter=order_parameter(axes) if axes else None, lacuna_count=len(axes))


def _cleaning(cleaned: Cleaned) -> Cleaning:
    return Cleaning(**{name: getattr(cleaned, name) for name in Cleaning.model_fields})
