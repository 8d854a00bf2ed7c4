"""One row for each lacuna."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from streamlcn.morphometry._configurations import configuration_histogram, surface_of
from streamlcn.morphometry._result import Analysis
from streamlcn.morphometry._shape import Moments, moments, shape_of
from streamlcn.morphometry._skeleton import primary_canaliculi
from streamlcn.morphometry._thickness import diameters
from streamlcn.morphometry.settings import MorphometryParameters

__all__ = ["lacuna_rows", "lacunae_table", "write_lacunae_csv"]

_HOLE_WARNING = 0.05  # filled part of a lacuna above which it is flagged
_MERGE_FACTOR = 3.0  # times the median volume above which two lacunae may be one


def lacuna_rows(
    lcn: npt.NDArray[np.bool_],
    filled: npt.NDArray[np.bool_],
    radii: npt.NDArray[Any],
    lacunae: npt.NDArray[np.int32],
    cells: npt.NDArray[np.int32],
    count: int,
    voxel_size_um: float,
    parameters: MorphometryParameters,
) -> list[dict[str, Any]]:
    """Return position, size, form, direction, surface, thickness, canaliculi, cell and flags of each."""
    sums = moments(lacunae, count)
    cell_voxels, filled_voxels = _tally(cells, filled, lacunae, count)
    leaving = primary_canaliculi(lcn, lacunae, parameters.shell_inner_voxels, parameters.shell_outer_voxels)
    median = float(np.median(sums.count)) if count else 0.0
    rows = []
    for n in range(count):
        box = sums.slices(n, 0, lacunae.shape)
        inside = lacunae[box] == n + 1
        row = {"id": n + 1, **_geometry(sums, n, inside, voxel_size_um)}
        thick = diameters(radii[box], voxel_size_um)[inside]
        row |= {
            "thickness_mean_um": float(thick.mean(dtype=np.float64)),
            "thickness_max_um": float(thick.max()),
            "canaliculi": leaving[n],
            "cell_volume_um3": float(cell_voxels[n + 1]) * voxel_size_um**3,
            "fill_fraction": float(filled_voxels[n + 1] / sums.count[n]),
        }
        rows.append(row | _flags(row, sums, n, lacunae.shape, median))
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


def _flags(
    row: dict[str, Any], sums: Moments, n: int, shape: tuple[int, ...], median: float
) -> dict[str, bool]:
    return {
        "is_cut_by_border": sums.touches_face(n, shape),
        "is_hole_filled": row["fill_fraction"] > _HOLE_WARNING,
        "is_merge_suspect": bool(sums.count[n] > _MERGE_FACTOR * median),
    }


@njit(cache=True)
def _tally(cells: Any, filled: Any, lacunae: Any, count: int) -> Any:
    cell_voxels, filled_voxels = np.zeros(count + 1, np.int64), np.zeros(count + 1, np.int64)
    for z in range(cells.shape[0]):
        for y in range(cells.shape[1]):
            for x in range(cells.shape[2]):
                cell_voxels[cells[z, y, x]] += 1
                if filled[z, y, x]:
                    filled_voxels[lacunae[z, y, x]] += 1
    return cell_voxels, filled_voxels


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


def write_lacunae_csv(analysis: Analysis, path: str | Path) -> None:
    """Write one row a lacuna, units in the column names; an empty field where a value is undefined."""
    table = analysis.lacunae_table
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(table)
        for row in zip(*(column.tolist() for column in table.values()), strict=True):
            writer.writerow(["" if isinstance(v, float) and math.isnan(v) else v for v in row])
