"""From the last projection to a committed result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from streamlcn.model import CLASS_NAMES, Completeness, Scan
from streamlcn.morphometry import analyse
from streamlcn.pipeline._metadata import completeness_metadata, morphometry_metadata, uncertainty_metadata
from streamlcn.pipeline._parts import Parts
from streamlcn.pipeline._preview import centre_slices
from streamlcn.pipeline._view import blank_outside
from streamlcn.pipeline._watch import Watch, sure_of
from streamlcn.ports import PorosityRange, Reconstruction, ScanResult, Telemetry
from streamlcn.progress import Progress, part_of

if TYPE_CHECKING:
    from streamlcn.morphometry import Analysis

__all__ = ["Conclusion", "conclude"]


_UNSURE_PX = 0.5
_BEAT_SHARE = 0.01


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
    found = _segment(end, volume)
    end.watch.phase("measuring")
    with end.parts.telemetry.timed("measure"):
        tell = _beating(end.parts.telemetry, "measure")
        analysis = analyse(found.labels, end.scan.voxel_size_um, end.parts.profile.morphometry, tell=tell)
    end.watch.phase("writing")
    with end.parts.telemetry.timed("write"):
        _write(end, volume, found.labels, analysis)
        beware = _beware(end, found)
        metadata = _closing_metadata(
            end, found, analysis, [*(text for text, _ in beware), *end.watch.shortages]
        )
        end.result.commit(end.status, metadata)
    for text, section in beware:
        end.watch.warn(text, runbook=section)
    _announce(end, metadata, found.sure)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Segmented:
    """Labels (z, y, x), what the network's probabilities say of porosity, how unlike its training data."""

    labels: npt.NDArray[np.uint8]
    sure: PorosityRange | None
    score: float | None
    is_unlike: bool


def _reconstruct(end: Conclusion) -> npt.NDArray[np.float32]:
    end.watch.phase("reconstructing")
    with end.parts.telemetry.timed("reconstruct"):
        tell = _beating(end.parts.telemetry, "reconstruct")
        parts = [slab.voxels for slab in end.session.finish(tell)]
        volume = parts[0] if len(parts) == 1 else np.concatenate(parts)
    end.watch.say_centre(end.session)
    end.watch.show(volume, None)
    return volume


def _segment(end: Conclusion, volume: npt.NDArray[np.float32]) -> _Segmented:
    end.watch.phase("segmenting")
    labels = np.empty(volume.shape, np.uint8)
    with end.parts.telemetry.timed("segment"):
        tell = _beating(end.parts.telemetry, "segment")
        masks = end.parts.segmenter.segment(volume)
        for mask in masks:
            stop = mask.z_start + len(mask.classes)
            labels[mask.z_start : stop] = mask.classes
            tell(0.9 * stop / len(volume))
        score, is_unlike = end.parts.segmenter.ood(volume, part_of(tell, 0.9, 1))
    blank_outside(labels)
    shares = np.bincount(labels.ravel(), minlength=len(CLASS_NAMES)) / max(1, labels.size)
    for name, share in zip(CLASS_NAMES, shares.tolist(), strict=True):
        end.parts.telemetry.level("mask_class_ratio", share, **{"class": name})
    end.watch.show(volume, labels)
    end.parts.emit({"event": "ood", "score": score, "flag": is_unlike})
    return _Segmented(labels=labels, sure=sure_of(masks), score=score, is_unlike=is_unlike)


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
    for count, (key, (array, unit)) in enumerate(arrays.items(), start=1):
        metadata = {
            "unit": unit,
            "voxel_size_um": end.scan.voxel_size_um,
            "recipe_hash": end.parts.recipe.hash,
        }
        end.result.create_array(key, array.shape, array.dtype, metadata)
        end.result.write_array(key, 0, array)
        end.parts.telemetry.beat("write", count / len(arrays))
    end.result.write_table("lacunae", analysis.lacunae_table)
    end.result.write_table("thickness_histogram", analysis.thickness_histogram)


def _beating(telemetry: Telemetry, stage: str) -> Progress:
    """Return what beats the heart of a stage, once for each hundredth of its work at most."""
    told = -1.0

    def tell(share: float) -> None:
        nonlocal told
        if share - told >= _BEAT_SHARE or share >= 1 > told:
            told = share
            telemetry.beat(stage, min(share, 1.0))

    return tell


def _beware(end: Conclusion, found: _Segmented) -> list[tuple[str, str]]:
    """Return what a reader of the result has to know, each with its section of the runbook."""
    beware = [(text, "scan-partial") for text in end.warnings]
    if found.is_unlike:
        text = (
            f"this volume is unlike the model's training data (score {found.score:.2f}): "
            "fine-tune the model before believing its numbers"
        )
        beware.append((text, "out-of-distribution"))
    pixels, stderr, _ = end.session.centre
    if stderr is not None and stderr > _UNSURE_PX:
        text = (
            f"the centre of rotation, {pixels:g} pixels, is known to {stderr:.2g} pixels only: look at the "
            "slices, or name the centre (reconstruction.centre.value) and process the scan again"
        )
        beware.append((text, "centre-uncertain"))
    return beware


def _closing_metadata(
    end: Conclusion, found: _Segmented, analysis: Analysis, warnings: list[str]
) -> dict[str, Any]:
    pixels, stderr, state = end.session.centre
    return {
        "completeness": completeness_metadata(end.completeness),
        "reconstruction": {"ran": end.session.description},
        "centre": {"pixels": pixels, "stderr_pixels": stderr, "state": state},
        "ood": {"score": found.score, "flag": found.is_unlike},
        "uncertainty": uncertainty_metadata(found.sure),
        "warnings": warnings,
        **morphometry_metadata(analysis.morphometry.model_dump(mode="json")),
    }


def _announce(end: Conclusion, metadata: dict[str, Any], sure: PorosityRange | None) -> None:
    parts, status = end.parts, end.status
    within = None if sure is None else (sure.low, sure.high)
    seconds = None
    if end.last_projection_s is not None:
        seconds = parts.clock() - end.last_projection_s
    parts.telemetry.count("scans", outcome=status)
    values = {key: metadata[key] for key in ("lcn", "bone", "lacunae")}
    end.watch.numbers(values, provisional=False, within=within)
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
