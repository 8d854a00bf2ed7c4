"""The words and numbers of the one-page figure."""

from __future__ import annotations

from textwrap import fill
from typing import Any

import numpy as np

from streamlcn.morphometry._result import Morphometry

__all__ = ["lacuna_lines", "method", "number_lines"]

_ROWS = 10  # lacunae that fit on the page


def number_lines(values: Morphometry) -> list[list[str]]:
    """Return heading and rows: quantity, value, value with the mask one voxel in and out."""
    lcn, found, fine = values.lcn, values.lacunae, values.canaliculi
    volumes = [row["volume_um3"] for row in found.rows if not row["is_cut_by_border"]]
    leaving = [float(row["canaliculi"]) for row in found.rows if not row["is_cut_by_border"]]
    pore, lacuna = values.distance_to_pore, values.distance_to_lacuna
    return [
        ["quantity", "value", "1 voxel in … out"],
        ["voxel", f"{values.voxel_size_um:g} µm", ""],
        ["tissue volume", f"{values.tissue.volume_um3:,.0f} µm³", ""],
        ["porosity", _percent(lcn.porosity), _range(lcn.porosity_minus_1_voxel, lcn.porosity_plus_1_voxel, "%")],  # noqa: E501
        ["LCN over bone", _percent(lcn.porosity_of_bone),
         _range(lcn.porosity_of_bone_minus_1_voxel, lcn.porosity_of_bone_plus_1_voxel, "%")],
        ["lacunar porosity", _percent(lcn.lacunar_porosity),
         _range(lcn.lacunar_porosity_minus_1_voxel, lcn.lacunar_porosity_plus_1_voxel, "%")],
        ["canalicular porosity", _percent(lcn.canalicular_porosity),
         _range(lcn.canalicular_porosity_minus_1_voxel, lcn.canalicular_porosity_plus_1_voxel, "%")],
        ["thickness, mean", _um(lcn.thickness_mean_um),
         _range(lcn.thickness_mean_minus_1_voxel_um, lcn.thickness_mean_plus_1_voxel_um, "µm")],
        ["thickness, median; max", f"{_um(lcn.thickness_median_um)}; {_um(lcn.thickness_max_um)}", ""],
        ["canalicular diameter, mean", _um(fine.diameter_mean_um),
         _range(fine.diameter_mean_minus_1_voxel_um, fine.diameter_mean_plus_1_voxel_um, "µm")],
        ["lacunae (cut by a face)", f"{found.count} ({found.cut_count})",
         f"{_whole(found.count_minus_1_voxel)} … {_whole(found.count_plus_1_voxel)}"],
        ["lacunae per tissue volume", f"{found.density_per_mm3:,.0f} /mm³", ""],
        ["volume of whole lacunae", *_spread(volumes, "µm³")],
        ["canaliculi leaving a lacuna", *_spread(leaving, "")],
        ["canalicular length", f"{fine.length_density_um_per_um3:.3g} µm/µm³", ""],
        ["bone to pore, mean; 95 %", f"{_um(pore.mean_um)}; {_um(pore.p95_um)}", ""],
        ["bone to lacuna, mean; 95 %", f"{_um(lacuna.mean_um)}; {_um(lacuna.p95_um)}", ""],
        ["alignment of whole lacunae", _plain(values.orientation.order_parameter),
         f"n = {values.orientation.lacuna_count}"],
    ]  # fmt: skip


def lacuna_lines(values: Morphometry) -> list[list[str]]:
    """Return heading and one row a lacuna, the largest first ten."""
    head = ["id", "volume\nµm³", "cell\nµm³", "axes\nµm", "stretch", "oblate-\nness", "spheri-\ncity",
            "to z\n°", "surface\nµm²", "thickness\nmean, max µm", "cana-\nliculi", "flags"]  # fmt: skip
    rows = sorted(values.lacunae.rows, key=lambda row: -row["volume_um3"])[:_ROWS]
    lines = [head, *([_lacuna(row) for row in rows] or [["–"] * len(head)])]
    hidden = values.lacunae.count - len(rows)
    if hidden:
        lines.append([f"and {hidden} more", *[""] * (len(head) - 1)])
    return lines


def _lacuna(row: dict[str, Any]) -> list[str]:
    names = (("is_cut_by_border", "cut"), ("is_hole_filled", "filled"), ("is_merge_suspect", "merged?"))
    return [
        str(row["id"]),
        f"{row['volume_um3']:.1f}",
        f"{row['cell_volume_um3']:.1f}",
        " × ".join(f"{axis:.1f}" for axis in row["axes_um"]),
        f"{row['stretch']:.2f}",
        _plain(row["oblateness"]),
        f"{row['sphericity']:.2f}",
        f"{row['angle_to_z_deg']:.0f}",
        f"{row['surface_um2']:.0f}",
        f"{row['thickness_mean_um']:.2f}, {row['thickness_max_um']:.2f}",
        str(row["canaliculi"]),
        " ".join(text for name, text in names if row[name]) or "–",
    ]


def method(values: Morphometry) -> str:
    """Return flags and every setting that moved a number."""
    used, flags = values.parameters, "; ".join(values.flags) or "none"
    closing = "closed by the 6-neighbour cross" if used.closing == "cross" else "not closed"
    text = (
        f"Islands below {used.island_threshold_voxels} and filled holes below {used.hole_threshold_voxels} "
        f"voxels; {closing}; lacuna from {used.lacuna_thickness_um:g} µm thickness and "
        f"{used.lacuna_volume_um3:g} µm³, split at necks of {used.split_depth_voxels:g} voxels and "
        f"{used.split_depth_fraction:.0%}; exact local thickness (Hildebrand & Rüegsegger 1997); "
        f"volume of {' × '.join(map(str, values.shape))} voxels (z, y, x)."
    )
    return fill(f"Flags: {flags}.", 165) + "\n" + fill(text, 165)


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.2f} %"


def _um(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f} µm"


def _plain(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _whole(value: int | None) -> str:
    return "–" if value is None else str(value)


def _spread(numbers: list[float], unit: str) -> list[str]:
    """Return the median, and the quartiles of at least ten or the ends of fewer."""
    if not numbers:
        return ["–", ""]
    few = len(numbers) < 10
    low, high = (min(numbers), max(numbers)) if few else np.percentile(numbers, [25, 75])
    what = "range" if few else "quartiles"
    return [f"{np.median(numbers):.0f} {unit}".strip(), f"{what} {low:.0f} … {high:.0f}"]


def _range(low: float | None, high: float | None, unit: str) -> str:
    factor = 100 if unit == "%" else 1
    ends = ["–" if end is None else f"{factor * end:.2f}" for end in (low, high)]
    return f"{ends[0]} … {ends[1]} {unit}"
