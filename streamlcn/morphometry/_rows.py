"""One row for each lacuna."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from streamlcn.morphometry._clean import Cleaned
from streamlcn.morphometry._configurations import configuration_histogram, surface_of
from streamlcn.morphometry._lacunae import Found
from streamlcn.morphometry._leaving import leaving
from streamlcn.morphometry._network import locate
from streamlcn.morphometry._parting import Parted
from streamlcn.morphometry._result import Analysis, SlabAnalysis
from streamlcn.morphometry._shape import Moments, shape_of
from streamlcn.morphometry.settings import MorphometryParameters
from streamlcn.progress import Progress, unheard

__all__ = ["lacuna_rows", "lacunae_table", "write_lacunae_csv"]

_HOLE_WARNING = 0.05  # filled part of a lacuna above which it is flagged
_MERGE_FACTOR = 3.0  # times the median volume above which two lacunae may be one


def lacuna_rows(
    cleaned: Cleaned,
    parted: Parted,
    cell: npt.NDArray[np.int32],
    voxel_size_um: float,
    parameters: MorphometryParameters,
    tell: Progress = unheard,
) -> list[dict[str, Any]]:
    """Return position, size, form, direction, surface, thickness, canaliculi, cell and flags of each."""
    network, found, count = cleaned.lcn, parted.found, parted.found.count
    sums = Moments(network, found.number, count)
    cell_voxels = np.bincount(cell, minlength=count + 1)
    filled_voxels = np.bincount(found.number[locate(network, cleaned.filled)], minlength=count + 1)
    roots = np.bincount(found.number, weights=np.sqrt(parted.radii), minlength=count + 1)
    largest = np.zeros(count + 1, np.int32)
    np.maximum.at(largest, found.number, parted.radii)
    codes = found.number + 1  # 0 is left for what is outside
    margin = int(np.ceil(parameters.shell_outer_voxels)) + 1
    rows = []
    for n in range(count):
        box = network.box(codes, sums.slices(n, margin, network.shape)).astype(np.int64) - 1
        row = {"id": n + 1, **_geometry(sums, n, box == n + 1, voxel_size_um)}
        rows.append(
            row
            | {
                "thickness_mean_um": float(2 * voxel_size_um * roots[n + 1] / sums.count[n]),
                "thickness_max_um": float(2 * voxel_size_um * np.sqrt(largest[n + 1])),
                "canaliculi": leaving(
                    box, n + 1, parameters.shell_inner_voxels, parameters.shell_outer_voxels
                ),
                "cell_volume_um3": float(cell_voxels[n + 1]) * voxel_size_um**3,
                "fill_fraction": float(filled_voxels[n + 1] / sums.count[n]),
            }
        )
        tell((n + 1) / count)
    _flag(rows, sums, found, network.shape)
    return rows


def _geometry(sums: Moments, n: int, inside: npt.NDArray[np.bool_], voxel: float) -> dict[str, Any]:
    form = shape_of(sums.covariance(n))
    volume = float(sums.count[n]) * voxel**3
    surface = surface_of(configuration_histogram(inside), voxel)
    axis = form["axis"]
    oblateness = form["oblateness"]
    return {
        "centroid_um": [float(c) for c in sums.first[n] / sums.count[n] * voxel],
        "volume_um3": volume,
        "surface_um2": surface,
        "axes_um": [float(2 * semi * voxel) for semi in form["semi"]],
        "axis": [float(c) for c in axis],
        "angle_to_z_deg": math.degrees(math.acos(min(abs(float(axis[0])), 1.0))),
        "azimuth_deg": math.degrees(math.atan2(float(axis[1]), float(axis[2]))) % 180.0,
        "stretch": form["stretch"],
        "oblateness": None if math.isnan(oblateness) else oblateness,
        "sphericity": math.pi ** (1 / 3) * (6 * volume) ** (2 / 3) / surface,
    }


def _flag(rows: list[dict[str, Any]], sums: Moments, found: Found, shape: tuple[int, ...]) -> None:
    """Add what to beware of: a lacuna may be two if it is unusually large or all but split."""
    median = float(np.median(sums.count)) if rows else 0.0
    for n, row in enumerate(rows):
        row["is_cut_by_border"] = sums.touches_face(n, shape)
        row["is_hole_filled"] = row["fill_fraction"] > _HOLE_WARNING
        row["is_merge_suspect"] = bool(sums.count[n] > _MERGE_FACTOR * median or found.is_necked[n])


_WHOLE = ("id", "canaliculi")
_VECTORS = {
    "centroid_um": ("centroid_z_um", "centroid_y_um", "centroid_x_um"),
    "axes_um": ("axis_1_um", "axis_2_um", "axis_3_um"),
    "axis": ("direction_z", "direction_y", "direction_x"),
}
_COLUMNS = (
    "id", "centroid_um", "volume_um3", "cell_volume_um3", "surface_um2", "axes_um", "axis", "angle_to_z_deg",
    "azimuth_deg", "stretch", "oblateness", "sphericity", "thickness_mean_um", "thickness_max_um",
    "canaliculi", "fill_fraction", "is_cut_by_border", "is_hole_filled", "is_merge_suspect",
)  # fmt: skip


def lacunae_table(rows: list[dict[str, Any]]) -> dict[str, npt.NDArray[Any]]:
    """Return rows as flat columns: int64, bool or float64 (NaN for what is undefined)."""
    table: dict[str, npt.NDArray[Any]] = {}
    for name in _COLUMNS:
        values = [row[name] for row in rows]
        if name in _VECTORS:
            matrix = np.array(values, np.float64).reshape(len(rows), 3)
            table |= {column: matrix[:, n].copy() for n, column in enumerate(_VECTORS[name])}
        elif name in _WHOLE or name.startswith("is_"):
            table[name] = np.array(values, np.int64 if name in _WHOLE else np.bool_)
        else:
            table[name] = np.array([math.nan if v is None else v for v in values], np.float64)
    return table


def write_lacunae_csv(analysis: Analysis | SlabAnalysis, path: str | Path) -> None:
    """Write one row a lacuna, units in the column names; an empty field where a value is undefined."""
    table = analysis.lacunae_table
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(table)
        for row in zip(*(column.tolist() for column in table.values()), strict=True):
            writer.writerow(["" if isinstance(v, float) and math.isnan(v) else v for v in row])
