"""The validation cases: a quantity of an input, what it must be, and how far off it may be."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from streamlcn.morphometry import (
    Morphometry,
    components,
    components_streamed,
    euler,
    local_thickness,
    local_thickness_bonej,
    measure,
    order_parameter,
    skeleton,
)
from tests.morphometry import phantoms
from tests.morphometry.inputs import DATA, cylinders, input_of, plates
from tests.morphometry.network_phantom import NetworkPhantom

__all__ = ["Case", "cases", "value_of"]


@dataclass(frozen=True)
class Case:
    """One row of the table."""

    id: str
    quantity: str
    phantom: str
    voxel_um: str
    expected: float
    tolerance: float
    is_relative: bool

    @property
    def allowed(self) -> float:
        """Largest difference that passes."""
        return self.tolerance * abs(self.expected) if self.is_relative else self.tolerance


def cases(path: Path = DATA / "cases.csv") -> list[Case]:
    """Return all rows of a table of cases."""
    with path.open(newline="", encoding="utf-8") as file:
        return [
            Case(
                id=row["id"],
                quantity=row["quantity"],
                phantom=row["phantom"],
                voxel_um=row["voxel_um"],
                expected=float(row["expected"]),
                tolerance=float(row["tolerance"]),
                is_relative=row["tol_kind"] == "rel",
            )
            for row in csv.DictReader(file)
        ]


def value_of(case: Case) -> float:
    """Compute the quantity of a case."""
    family, _, name = case.quantity.partition(".")
    if case.quantity == "refused":
        return _refused(case)
    if family == "orientation":
        return order_parameter(input_of(case.phantom))
    if case.quantity == "components26.positions_not_one":
        return sum(len(components(mask, 26)) != 1 for mask in plates())
    if family in _OF_MASKS:
        return _OF_MASKS[family](case, name)
    return _measured(case)


def _refused(case: Case) -> float:
    try:
        measure(phantoms.in_bone(input_of(case.phantom)), tuple(map(float, case.voxel_um.split(","))))
    except (TypeError, ValueError):
        return 1.0
    return 0.0


def _thickness(case: Case, name: str) -> float:
    match = re.match(r"16 cylinders of diameter (\d+) through a (\d+)\^3 .*within ([\d.]+) of", case.phantom)
    if match:
        poses = cylinders(float(match[1]), int(match[2]), float(match[3]))
        return float(np.mean([local_thickness(solid, 1.0)[part].mean(dtype=float) for solid, part in poses]))
    mask = input_of(case.phantom)
    values = local_thickness(mask, float(case.voxel_um))[mask].astype(float) / float(case.voxel_um)
    return {
        "mean_vox": float(values.mean()),
        "max_vox": float(values.max()),
        "max_vox_halved": float(values.max()) / 2,
        "distinct_values": float(len(np.unique(values.round(4)))),
    }[name]


def _bonej(case: Case, name: str) -> float:
    values = local_thickness_bonej(input_of(case.phantom), masked=name == "mean_masked_vox")
    return float(values[values > 0].mean(dtype=float))


def _components(case: Case, _: str) -> float:
    mask = input_of(case.phantom)
    sizes = components(mask, 26 if case.quantity == "components26" else 6)
    if case.quantity == "components26":
        assert np.array_equal(sizes, components_streamed(mask, 37))
    return float(len(sizes))


def _euler(case: Case, _: str) -> float:
    return float(euler(input_of(case.phantom), int(case.quantity.removeprefix("euler"))))


def _centre_lines(case: Case, name: str) -> float:
    return float(skeleton(input_of(case.phantom))[name.removesuffix("_vox")])


_OF_MASKS = {
    "local_thickness": _thickness,
    "bonej_thickness": _bonej,
    "components26": _components,
    "components6": _components,
    "euler26": _euler,
    "euler6": _euler,
    "canaliculi": _centre_lines,
}


@lru_cache(maxsize=2)
def _morphometry(phantom: str, voxel_um: str) -> Morphometry:
    found = input_of(phantom)
    if isinstance(found, NetworkPhantom):
        found = found.labels
    return measure(phantoms.in_bone(found) if found.dtype == bool else found, float(voxel_um))


def _measured(case: Case) -> float:
    voxel, values = float(case.voxel_um), _morphometry(case.phantom, case.voxel_um).model_dump()
    rows = values["lacunae"]["rows"]
    largest: dict[str, Any] = max(rows, key=lambda row: row["volume_um3"], default={})
    if case.quantity == "lacunar_volume_over_truth":
        truth = np.count_nonzero(input_of(case.phantom).lacunae) * voxel**3
        return float(sum(row["volume_um3"] for row in rows) / truth)
    if case.quantity.startswith("shape.semi_axis"):
        which = ("long", "mid", "short").index(case.quantity.split("_")[2])
        return float(largest["axes_um"][which] / 2 / voxel)
    if case.quantity.startswith("shape."):
        return float(largest[case.quantity.removeprefix("shape.")])
    if case.quantity == "sphericity":
        return float(largest["sphericity"])
    path, power = case.quantity, 0
    if path == "surface_vox2":
        path = "lcn.surface_vox2"
    if re.search(r"_vox[23]?$", path):
        stem, power = path.rsplit("_vox", 1)[0], 1
        names = {"lcn.volume": ("um3", 3), "lcn.surface": ("um2", 2)}
        unit, power = names.get(stem, ("um", 1))
        path = f"{stem}_{unit}"
    value: Any = values
    for key in path.split("."):
        value = value[key]
    return float(value) / voxel**power
