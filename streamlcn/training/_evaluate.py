"""A model against labelled volumes."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from streamlcn.errors import BadInput
from streamlcn.model import CLASS_NAMES, Label
from streamlcn.segmentation._bundle import read_bundle, write_bundle
from streamlcn.segmentation._model import Model, load_model
from streamlcn.training._card import make_card
from streamlcn.training._data import UNLABELLED, LabelledScan, merge_shade_off, read_scans
from streamlcn.training._quality import lcn_quality
from streamlcn.training._report import Evaluation, LcnQuality, ScanEvaluation

__all__ = ["confusion", "document", "evaluate", "evaluate_model", "overlap"]

_COUNT = len(CLASS_NAMES)
_SLAB = 32


def evaluate(data_dir: str | Path, bundle: str | Path, *, device: str = "auto") -> Evaluation:
    """Segment every volume of a folder with a bundle's model and compare. Raises `BadInput`."""
    model = load_model(bundle, device=device)
    scans = read_scans(data_dir)
    return evaluate_model(model, scans, {scan.name: scan.labelled_slices for scan in scans})


def evaluate_model(
    model: Model, scans: list[LabelledScan], slices: dict[str, npt.NDArray[np.intp]]
) -> Evaluation:
    """Compare labels of the given slices of each scan; scans without any are left out.

    For a model without the class shade-off, shade-off in the truth counts as bone.
    """
    if "shade_off" not in model.manifest.classes:
        scans = [merge_shade_off(scan) for scan in scans]
    tables, judged = [], []
    for scan in scans:
        if len(slices[scan.name]):
            table, one = _judged(model, scan, slices[scan.name])
            tables.append(table)
            judged.append(one)
    dice, iou = overlap(np.sum(tables, axis=0))
    errors = [each.porosity_error for each in judged if each.porosity_error is not None]
    return Evaluation(
        model=model.description,
        dice=dice,
        iou=iou,
        porosity_error_mean=float(np.mean(errors)) if errors else None,
        porosity_error_largest=float(max(errors, key=abs)) if errors else None,
        scans=tuple(judged),
    )


def _judged(
    model: Model, scan: LabelledScan, chosen: npt.NDArray[np.intp]
) -> tuple[npt.NDArray[np.int64], ScanEvaluation]:
    started = time.perf_counter()
    labelling = model.segment_slabs(scan.volume, _SLAB)
    labels = np.concatenate([mask.classes for mask in labelling])
    seconds = time.perf_counter() - started
    truth, found = scan.labels[chosen], labels[chosen]
    table = confusion(truth, found)
    dice, iou = overlap(table)
    score, flag = model.ood(scan.volume)
    # Probabilities are summed over whole slices: they mean something only where all of a slice is labelled.
    expected = None if (truth == UNLABELLED).any() else labelling.tally.porosity(chosen)
    interval = labelling.porosity if len(chosen) == len(labels) and expected is not None else None
    return table, ScanEvaluation(
        name=scan.name,
        dice=dice,
        iou=iou,
        porosity=_porosity(table.sum(axis=0)),
        porosity_true=_porosity(table.sum(axis=1)),
        porosity_expected=expected[0] if expected is not None else None,
        porosity_ambiguous=expected[1] if expected is not None else None,
        porosity_low=interval.low if interval is not None else None,
        porosity_high=interval.high if interval is not None else None,
        lcn=_lcn(truth, found) if chosen[-1] - chosen[0] == len(chosen) - 1 else None,
        ood_score=score,
        ood_flag=flag,
        seconds=seconds,
    )


def document(
    data_dir: str | Path, bundle: str | Path, *, notes: str = "", device: str = "auto"
) -> Evaluation:
    """Judge a bundle on a folder that took no part in its training, and make that its card and metrics.

    Raises `BadInput`, also where a volume of the folder was trained on.
    """
    network, manifest = read_bundle(Path(bundle))
    seen = set(manifest.provenance.get("data_sha256", {}).values())
    known = [scan.name for scan in read_scans(data_dir) if scan.sha256 in seen]
    if known:
        raise BadInput(f"{bundle} was trained or tuned on {known[0]}: judge it on other scans than that")
    judged = evaluate(data_dir, bundle, device=device)
    metrics = judged.model_dump(mode="json", include={"dice", "iou", "porosity_error_mean"})
    manifest = manifest.model_copy(update={"metrics": metrics})
    write_bundle(Path(bundle), network, manifest, make_card(manifest, judged, notes))
    return judged


def confusion(truth: npt.NDArray[np.uint8], labels: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    """Return how many voxels of true class (row) got which label (column); 255 in truth is left out."""
    known = truth != UNLABELLED
    pairs = truth[known].astype(np.int64) * _COUNT + labels[known]
    return np.bincount(pairs, minlength=_COUNT**2).reshape(_COUNT, _COUNT)


def overlap(table: npt.NDArray[np.int64]) -> tuple[dict[str, float], dict[str, float]]:
    """Return Dice 2 TP / (2 TP + FP + FN) and IoU TP / (TP + FP + FN) of each class that occurs."""
    both = np.diag(table)
    sizes = table.sum(axis=0) + table.sum(axis=1)
    dice, iou = {}, {}
    for index, name in enumerate(CLASS_NAMES):
        if sizes[index]:
            dice[name] = float(2 * both[index] / sizes[index])
            iou[name] = float(both[index] / (sizes[index] - both[index]))
    return dice, iou


def _lcn(truth: npt.NDArray[np.uint8], found: npt.NDArray[np.uint8]) -> LcnQuality | None:
    return lcn_quality(truth == Label.LCN, (found == Label.LCN) & (truth != UNLABELLED))


def _porosity(counts: Any) -> float | None:
    """LCN over bone, shade-off and LCN; None without any of them."""
    tissue = int(counts[Label.BONE] + counts[Label.LCN] + counts[Label.SHADE_OFF])
    return float(counts[Label.LCN] / tissue) if tissue else None
