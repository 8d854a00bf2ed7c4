"""When not to trust the numbers."""

from __future__ import annotations

from collections.abc import Mapping

from streamlcn.morphometry._result import Morphometry

__all__ = ["flags"]

_FEW = 10
_FLOOR = 0.5
_ISLANDS = 0.05
_ORPHANS = 0.1
_UNSTABLE = 0.05


def flags(values: Morphometry, voxels_by_cut: Mapping[float, int]) -> list[str]:  # noqa: C901  a list of rules
    """Return what a reader must know, one sentence each; ``voxels_by_cut``: lacunar voxels by cut."""
    lcn, found = values.lcn, values.lacunae
    if lcn.volume_um3 == 0:
        return [
            "no_lcn: the volume holds no network" + (" after cleaning" if lcn.removed_island_fraction else "")
        ]
    out = []
    if (lcn.removed_island_fraction or 0) > _ISLANDS:
        out.append(f"removed_islands: {lcn.removed_island_fraction:.1%} of the labelled LCN was islands")
    floor = max(lcn.at_resolution_floor_fraction or 0, lcn.below_resolution_fraction or 0)
    if floor > _FLOOR:
        out.append(f"at_resolution_floor: {floor:.1%} of the LCN is as thin as the resolution: no diameter")
    if (lcn.orphan_fraction or 0) > _ORPHANS:
        out.append(f"orphan_fraction: {lcn.orphan_fraction:.1%} of the LCN reaches no lacuna")
    if lcn.porosity_of_bone is None:
        out.append("no_bone: after cleaning all tissue is LCN")
    if found.count < _FEW:
        out.append(f"few_lacunae: {found.count}, so read values, not percentiles or tests")
    if found.cut_count:
        out.append(f"cut_by_border: {found.cut_count} of {found.count} lacunae touch a face of the volume")
    for name in ("is_hole_filled", "is_merge_suspect"):
        rows = [row["id"] for row in found.rows if row[name]]
        if rows:
            out.append(f"{name.removeprefix('is_')}: lacunae {rows[:10]}")
    middle = voxels_by_cut[1.0]
    spread = max(abs(v - middle) for v in voxels_by_cut.values())
    if middle and spread > _UNSTABLE * middle:
        out.append(f"t_lac_unstable: lacunar volume moves by {spread / middle:.1%} with the thickness cut")
    return out
