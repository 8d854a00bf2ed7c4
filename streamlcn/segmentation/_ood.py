"""How unlike its training data a volume is.

Two distances, each in units of the farthest volume that was held out of training: of the grey values
(Wasserstein-1 between quantiles) and of the network's deepest features (Mahalanobis, Lee et al. 2018). The
score is the larger one. Softmax confidence is not used: it can rise while labels get worse.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch

from streamlcn.segmentation._build import Network
from streamlcn.segmentation._inference import padded
from streamlcn.segmentation._manifest import OodReference
from streamlcn.segmentation._normalise import GREY_LEVELS, Scale, in_view

__all__ = ["Looks", "fit_reference", "look_at", "score"]

FLAG_ABOVE = 1.5
_SLICES = 12
_SHRINKAGE = 0.1


class Looks:
    """What is compared of one volume: ``grey`` (levels,) and ``features`` (slice, channel), float64."""

    def __init__(self, grey: npt.NDArray[np.float64], features: npt.NDArray[np.float64]) -> None:
        self.grey, self.features = grey, features


def look_at(
    network: Network,
    volume: npt.NDArray[np.float32],
    scale: Scale,
    view_radius: float,
    device: torch.device,
) -> Looks:
    """Measure a volume (z, y, x) at a dozen slices spread over its height."""
    grey = np.quantile(scale(in_view(volume, view_radius)), GREY_LEVELS)
    depth = len(volume)
    chosen = np.unique(np.linspace(0, depth - 1, min(_SLICES + 2, depth)).round().astype(int))
    chosen = chosen[1:-1] if len(chosen) > 2 else chosen
    rows = []
    with torch.inference_mode():
        for z in chosen:
            plane = padded(scale(volume[z]), network.config.multiple)
            deepest = network.features(torch.from_numpy(plane).to(device)[None, None])
            rows.append(deepest.mean(dim=(0, 2, 3)).double().cpu().numpy())
    return Looks(grey.astype(np.float64), np.stack(rows))


def fit_reference(training: list[Looks], held_out: list[Looks]) -> OodReference:
    """Describe training volumes; held-out ones set the units. The covariance is shrunk to its diagonal."""
    grey = np.mean([looks.grey for looks in training], axis=0)
    slices = np.concatenate([looks.features for looks in training])
    mean: npt.NDArray[np.float64] = slices.mean(axis=0)
    covariance = np.cov(slices, rowvar=False) + 0.0
    diagonal = np.diag(np.diag(covariance) + 1e-6 + 1e-2 * np.diag(covariance).mean())
    precision = np.asarray(np.linalg.inv((1 - _SHRINKAGE) * covariance + _SHRINKAGE * diagonal), np.float64)
    return OodReference(
        grey_levels=GREY_LEVELS,
        grey_quantiles=tuple(grey.round(6).tolist()),
        grey_unit=max(_grey_distance(looks, grey) for looks in held_out),
        feature_mean=_rounded(mean),
        feature_precision=tuple(_rounded(row) for row in precision),
        feature_unit=max(_feature_distance(looks, mean, precision) for looks in held_out),
        flag_above=FLAG_ABOVE,
    )


def _rounded(values: npt.NDArray[np.float64]) -> tuple[float, ...]:
    """Six digits: a manifest is read by people too."""
    return tuple(float(f"{value:.6g}") for value in values)


def score(looks: Looks, reference: OodReference) -> float:
    """Return the larger of both distances in units of the farthest held-out volume."""
    mean, precision = np.array(reference.feature_mean), np.array(reference.feature_precision)
    grey = _grey_distance(looks, np.array(reference.grey_quantiles)) / reference.grey_unit
    return max(grey, _feature_distance(looks, mean, precision) / reference.feature_unit)


def _grey_distance(looks: Looks, quantiles: npt.NDArray[np.float64]) -> float:
    return float(np.abs(looks.grey - quantiles).mean())


def _feature_distance(
    looks: Looks, mean: npt.NDArray[np.float64], precision: npt.NDArray[np.float64]
) -> float:
    """Mean over slices of the Mahalanobis distance."""
    off = looks.features - mean
    return float(np.sqrt(np.maximum(np.einsum("si,ij,sj->s", off, precision, off), 0)).mean())
