"""From the last projection to a committed result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from streamlcn.model import Completeness, Scan
from streamlcn.morphometry import analyse
from streamlcn.pipeline._metadata import completeness_metadata, morphometry_metadata
from streamlcn.pipeline._parts import Parts
from streamlcn.pipeline._preview import centre_slices
from streamlcn.pipeline._view import blank_outside
from streamlcn.ports import Reconstruction, ScanResult

if TYPE_CHECKING:
    from streamlcn.morphometry import Analysis
    from streamlcn.pipeline._watch import Watch

__all__ = ["Conclusion", "conclude"]


_UNSURE_PX = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """All that the end of a scan needs."""

    scan: Scan
    parts: Parts
    watch: Watch
    session: Reconstruction
    result: ScanResult
    status: str
    completeness: Completeness
    warnings: list[str]
    last_projection_s: float | None


def conclude(end: Conclusion) -> None:
    """Reconstruct, segment, measure, write and commit, in that order; raises a `FailedScan`."""
    volume = _reconstruct(end)
    labels = _segment(end, volume)
    end.watch.phase("measuring")
    with end.parts.telemetry.timed("measure"):
        analysis = analyse(labels, end.scan.voxel_size_um, end.parts.profile.morphometry)
    end.watch.phase("writing")
    with end.parts.telemetry.timed("write"):
        _write(end, volume, labels, analysis)
        metadata = _closing_metadata(end, volume, analysis)
        end.result.commit(end.status, metadata)
    _announce(end, metadata)


def _reconstruct(end: Conclusion) -> npt.NDArray[np.float32]:
    end.watch.phase("reconstructing")
    parts: list[npt.NDArray[np.float32]] = []
    with end.parts.telemetry.timed("reconstruct"):
        parts.extend(slab.voxels for slab in end.session.finish())
        volume = parts[0] if len(parts) == 1 else np.concatenate(parts)
    end.watch.say_centre(end.session)
    end.watch.show(volume, None)
    return volume


def _segment(end: Conclusion, volume: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    end.watch.phase("segmenting")
    labels = np.empty(volume.shape, np.uint8)
    with end.parts.telemetry.timed("segment"):
        for mask in end.parts.segmenter.segment(volume):
            labels[mask.z_start : mask.z_start + len(mask.classes)] = mask.classes
    blank_outside(labels)
    end.watch.show(volume, labels)
    return labels


def _write(
    end: Conclusion,
    volume: npt.NDArray[np.float32],
    labels: npt.NDArray[np.uint8],
    analysis: Analysis,
) -> None:
    arrays: dict[str, tuple[npt.NDArray[Any], str]] = {
        "reconstruction": (volume, "1/pixel"),
        "labels": (labels, "class"),
        "cells": (analysis.cells, "lacuna"),
        "thickness": (analysis.thickness, "um"),
    }
    for plane, grey in centre_slices(volume).items():
        arrays[f"preview/{plane}"] = (np.ascontiguousarray(grey), "1/pixel")
    for key, (array, unit) in arrays.items():
        metadata = {
            "unit": unit,
            "voxel_size_um": end.scan.voxel_size_um,
            "recipe_hash": end.parts.recipe.hash,
        }
        end.result.create_array(key, array.shape, array.dtype, metadata)
        end.result.write_array(key, 0, array)
    end.result.write_table("lacunae", analysis.lacunae_table)
    end.result.write_table("thickness_histogram", analysis.thickness_histogram)


def _closing_metadata(end: Conclusion, volume: npt.NDArray[np.float32], analysis: Analysis) -> dict[str, Any]:
    pixels, stderr, state = end.session.centre
    score, flag = end.parts.segmenter.ood(volume)
    warnings = list(end.warnings)
    if flag:
        warnings.append(
            f"this volume is unlike the model's training data (score {score:.2f}): "
            "fine-tune the model before believing its numbers"
        )
    if stderr is not None and stderr > _UNSURE_PX:
        warnings.append(
            f"the centre of rotation, {pixels:g} pixels, is known to {stderr:.2g} pixels only: look at the "
            "slices, or name the centre (reconstruction.centre.value) and process the scan again"
        )
    return {
        "completeness": completeness_metadata(end.completeness),
        "centre": {"pixels": pixels, "stderr_pixels": stderr, "state": state},
        "ood": {"score": score, "flag": flag},
        "warnings": warnings,
        **morphometry_metadata(analysis.morphometry.model_dump(mode="json")),
    }


def _announce(end: Conclusion, metadata: dict[str, Any]) -> None:
    parts, status = end.parts, end.status
    seconds = None
    if end.last_projection_s is not None:
        seconds = parts.clock() - end.last_projection_s
    parts.telemetry.count("scans", outcome=status)
    end.watch.numbers({key: metadata[key] for key in ("lcn", "bone", "lacunae")}, provisional=False)
    parts.emit({"event": "ood", **metadata["ood"]})
    for text in metadata["warnings"]:
        end.watch.warn(text)
    end.watch.phase(status)
    used, expected = end.completeness.projections_used, end.completeness.projections_expected
    parts.emit(
        {
            "event": "result",
            "uid": end.scan.uid,
            "recipe_hash": parts.recipe.hash,
            "status": status,
            "uri": end.result.uri,
            "porosity": metadata["lcn"]["porosity"],
            "completeness": used / expected if expected else None,
            "seconds_after_last_projection": seconds,
            "flags": metadata["warnings"],
        }
    )
