"""What stands beside a result, as scalars at fixed paths, so that it can be searched and traced."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from streamlcn.model import Completeness, Scan
from streamlcn.pipeline._parts import Parts
from streamlcn.ports import PorosityRange

__all__ = [
    "completeness_metadata",
    "morphometry_metadata",
    "opening_metadata",
    "uncertainty_metadata",
    "versions",
]

_NAMED_MISSING = 50  # so many missing projections are named one by one


def opening_metadata(scan: Scan, parts: Parts) -> dict[str, Any]:
    """Return what is known when a scan starts."""
    return {
        "raw_uid": scan.uid,
        "status": "processing",
        "profile": parts.profile.name,
        "recipe_hash": parts.recipe.hash,
        "recipe": parts.recipe.values,
        "model": dict(parts.segmenter.description),
        "reconstructor": parts.reconstructor.name,
        "voxel_size_um": scan.voxel_size_um,
        "energy_kev": scan.energy_kev,
        "phase_shift_rad": scan.phase_shift_rad,
        "assumptions": list(scan.assumptions),
        "completeness": {
            "projections_expected": scan.projection_count,
            "projections_received": 0,
            "projections_used": 0,
        },
        "versions": dict(versions()),
        "warnings": [],
    }


def completeness_metadata(completeness: Completeness) -> dict[str, Any]:
    """Return the tally of projections; at most 50 missing ones are named."""
    return {
        "projections_expected": completeness.projections_expected,
        "projections_received": completeness.projections_received,
        "projections_used": completeness.projections_used,
        "duplicates": completeness.duplicates,
        "missing_count": len(completeness.missing),
        "missing": list(completeness.missing[:_NAMED_MISSING]),
    }


def uncertainty_metadata(sure: PorosityRange | None) -> dict[str, float | None]:
    """Return how far the porosity of the labels, before morphometry cleans them, can be believed."""
    return {
        "porosity_expected": None if sure is None else sure.expected,
        "porosity_low": None if sure is None else sure.low,
        "porosity_high": None if sure is None else sure.high,
    }


def morphometry_metadata(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the dump of a `Morphometry` without its tables, which are stored as tables."""
    return {
        section: {key: value for key, value in content.items() if not isinstance(value, list)}
        if isinstance(content, Mapping)
        else content
        for section, content in values.items()
    }


@cache
def versions() -> Mapping[str, str]:
    """Return the versions of what can change a number."""
    known = {}
    for name in ("streamlcn", "numpy", "scipy", "numba", "torch", "connected-components-3d"):
        try:
            known[name] = version(name)
        except PackageNotFoundError:  # an extra that is not installed
            known[name] = "absent"
    return known
