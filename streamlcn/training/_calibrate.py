"""What probabilities are worth: one temperature, its calibration error, and the spread of porosities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from streamlcn.model import CLASS_NAMES
from streamlcn.segmentation._inference import logits_of_slices
from streamlcn.segmentation._manifest import Calibration
from streamlcn.segmentation._model import Model
from streamlcn.training._data import UNLABELLED, LabelledScan
from streamlcn.training._report import ScanEvaluation

__all__ = ["calibration_error", "fit_temperature", "porosity_spread"]

_Slices: TypeAlias = dict[str, npt.NDArray[np.intp]]

_SLICES_PER_SCAN = 8
_VOXELS_PER_SLICE = 8192
_BINS = 15


def fit_temperature(model: Model, scans: Sequence[LabelledScan], slices: _Slices, seed: int) -> Calibration:
    """Find the temperature of least cross-entropy (Guo et al. 2017) on voxels of the given slices."""
    logits, labels = _sample(model, scans, slices, seed)
    low, high = np.log(0.2), np.log(5.0)
    ratio = (np.sqrt(5) - 1) / 2
    for _ in range(40):  # golden section: the cross-entropy has one minimum in log temperature's inverse
        one, other = high - ratio * (high - low), low + ratio * (high - low)
        if _entropy(logits, labels, one) < _entropy(logits, labels, other):
            high = other
        else:
            low = one
    temperature = float(np.exp((low + high) / 2))
    return Calibration(
        temperature=round(temperature, 5),
        error=calibration_error((logits / temperature).softmax(1), labels),
        error_before=calibration_error(logits.softmax(1), labels),
        volumes=0,
    )


def calibration_error(probabilities: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the expected calibration error: |accuracy - confidence| over 15 bins, weighted by their size.

    ``probabilities`` (n, class), ``labels`` (n,).
    """
    confidence, chosen = probabilities.max(dim=1)
    place = (confidence * _BINS).long().clamp_max(_BINS - 1)
    gaps = torch.zeros(_BINS, dtype=torch.float64)
    gaps.index_add_(0, place, (chosen == labels).double() - confidence.double())
    return float(gaps.abs().sum() / len(labels))


def porosity_spread(judged: Sequence[ScanEvaluation]) -> float | None:
    """Return the largest error of an expected porosity over the ambiguous share of its tissue."""
    shares = [
        abs(each.porosity_expected - each.porosity_true) / each.porosity_ambiguous
        for each in judged
        if each.porosity_expected is not None and each.porosity_true is not None and each.porosity_ambiguous
    ]
    return max(shares) if shares else None


def _entropy(logits: torch.Tensor, labels: torch.Tensor, log_temperature: float) -> float:
    return float(functional.cross_entropy(logits / float(np.exp(log_temperature)), labels))


def _sample(
    model: Model, scans: Sequence[LabelledScan], slices: _Slices, seed: int
) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng([seed, 0xCA1])
    index = np.full(256, UNLABELLED, np.uint8)
    for place, each in enumerate(model.manifest.classes):
        index[CLASS_NAMES.index(each)] = place
    logits, labels = [], []
    for scan in scans:
        chosen = slices[scan.name]
        if not len(chosen):
            continue
        scale, volume = model.manifest.normalisation.scale(scan.volume), scan.volume
        for z in chosen[np.linspace(0, len(chosen) - 1, min(_SLICES_PER_SCAN, len(chosen))).astype(int)]:
            truth = index[scan.labels[z]].ravel()
            voxels = rng.permutation(np.flatnonzero(truth != UNLABELLED))[:_VOXELS_PER_SLICE]
            with torch.inference_mode():
                found = next(
                    logits_of_slices(
                        model.network,
                        lambda near, scale=scale, volume=volume: scale(volume[near]),  # type: ignore[misc]
                        len(volume),
                        int(z),
                        int(z) + 1,
                        model.device,
                    )
                )
            logits.append(found.flatten(1).T.cpu()[voxels])
            labels.append(torch.from_numpy(truth[voxels].astype(np.int64)))
    return torch.cat(logits).clone(), torch.cat(labels)
