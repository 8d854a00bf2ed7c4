"""How unlike its training data a volume is.

Two distances: of the grey values (Wasserstein-1 between quantiles) and of texture, the mean and deviation
over a slice of the network's features at a quarter of the resolution (Mahalanobis, Lee et al. 2018), each in
units of the farthest that one known bone was from all others. The score is the larger one. The deepest
features know what a place is rather than which instrument saw it, and part two beamlines less well. Softmax
confidence is not used: it can rise while labels get worse.

Bones seen with voxels of another size look different, and would hide in their midst what is no bone of either
size: each size has statistics of its own, and the nearest ones count.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from streamlcn.progress import Progress, unheard
from streamlcn.segmentation._build import Network
from streamlcn.segmentation._inference import padded
from streamlcn.segmentation._manifest import OodReference
from streamlcn.segmentation._normalise import GREY_LEVELS, Scale, in_view

__all__ = ["Looks", "by_voxel_size", "fit_reference", "look_at", "score"]

FLAG_ABOVE = 1.1
_SLICES = 12
_SHRINKAGE = 0.1
_SAME_SIZE = 1.4
_FEWEST_BONES = 3


class Looks:
    """What is compared of one volume: ``grey`` (levels,) and ``texture`` (slice, 2 channels), float64."""

    def __init__(self, grey: npt.NDArray[np.float64], texture: npt.NDArray[np.float64]) -> None:
        self.grey, self.texture = grey, texture


def look_at(
    network: Network,
    volume: npt.NDArray[np.float32],
    scale: Scale,
    view_radius: float,
    device: torch.device,
    tell: Progress = unheard,
) -> Looks:
    """Measure a volume (z, y, x) at a dozen slices spread over its height; tell the share after each."""
    grey = np.quantile(scale(in_view(volume, view_radius)), GREY_LEVELS)
    depth = len(volume)
    chosen = np.unique(np.linspace(0, depth - 1, min(_SLICES + 2, depth)).round().astype(int))
    chosen = chosen[1:-1] if len(chosen) > 2 else chosen
    rows = []
    with torch.inference_mode():
        for count, z in enumerate(chosen, start=1):
            plane = padded(scale(volume[z]), network.config.multiple)
            features = network.features(torch.from_numpy(plane).to(device)[None, None])[0].flatten(1)
            rows.append(torch.cat([features.mean(1), features.std(1)]).double().cpu().numpy())
            tell(count / len(chosen))
    return Looks(grey.astype(np.float64), np.stack(rows))


def by_voxel_size(
    bones: Sequence[list[Looks]], voxel_sizes_um: Sequence[float | None]
) -> list[list[list[Looks]]]:
    """Part bones where the next larger voxel is 1.4 times the last one.

    All stay together where a part would have fewer than three bones, or a size is not known.
    """
    known = [size for size in voxel_sizes_um if size is not None]
    if len(known) < len(bones):
        return [list(bones)]
    parts: list[list[list[Looks]]] = []
    last = 0.0
    for size, bone in sorted(zip(known, bones, strict=True), key=lambda pair: pair[0]):
        if size > _SAME_SIZE * last:
            parts.append([])
        parts[-1].append(bone)
        last = size
    return parts if min(map(len, parts)) >= _FEWEST_BONES else [list(bones)]


def fit_reference(bones: list[list[Looks]]) -> OodReference:
    """Describe what a model knows; every bone may have several volumes, at least three bones are needed.

    The units come from leaving one bone out at a time: 1 is the farthest that a volume was from all others.
    """
    grey_unit = texture_unit = 0.0
    for left_out, volumes in enumerate(bones):
        others = [looks for place, each in enumerate(bones) if place != left_out for looks in each]
        grey, mean, precision = _statistics(others)
        grey_unit = max(grey_unit, *(_grey_distance(looks, grey) for looks in volumes))
        texture_unit = max(texture_unit, *(_texture_distance(looks, mean, precision) for looks in volumes))
    grey, mean, precision = _statistics([looks for volumes in bones for looks in volumes])
    return OodReference(
        grey_levels=GREY_LEVELS,
        grey_quantiles=_rounded(grey),
        grey_unit=grey_unit,
        texture_mean=_rounded(mean),
        texture_precision=tuple(_rounded(row) for row in precision),
        texture_unit=texture_unit,
        flag_above=FLAG_ABOVE,
    )


def _statistics(
    volumes: list[Looks],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return mean grey quantiles, mean texture and the inverse of their shrunk covariance."""
    grey = np.asarray(np.mean([looks.grey for looks in volumes], axis=0), np.float64)
    slices = np.concatenate([looks.texture for looks in volumes])
    covariance = np.cov(slices, rowvar=False)
    diagonal = np.diag(np.diag(covariance) + 1e-6 + 1e-2 * np.diag(covariance).mean())
    precision = np.linalg.inv((1 - _SHRINKAGE) * covariance + _SHRINKAGE * diagonal)
    return grey, np.asarray(slices.mean(axis=0), np.float64), np.asarray(precision, np.float64)


def _rounded(values: npt.NDArray[np.float64]) -> tuple[float, ...]:
    """Six digits: a manifest is read by people too."""
    return tuple(float(f"{value:.6g}") for value in values)


def score(looks: Looks, references: Sequence[OodReference]) -> float:
    """Return the larger of both distances in the units of the reference for which it is least."""
    return min(_score(looks, reference) for reference in references)


def _score(looks: Looks, reference: OodReference) -> float:
    mean, precision = np.array(reference.texture_mean), np.array(reference.texture_precision)
    grey = _grey_distance(looks, np.array(reference.grey_quantiles)) / reference.grey_unit
    return max(grey, _texture_distance(looks, mean, precision) / reference.texture_unit)


def _grey_distance(looks: Looks, quantiles: npt.NDArray[np.float64]) -> float:
    return float(np.abs(looks.grey - quantiles).mean())


def _texture_distance(
    looks: Looks, mean: npt.NDArray[np.float64], precision: npt.NDArray[np.float64]
) -> float:
    """Mean over slices of the Mahalanobis distance."""
    off = looks.texture - mean
    return float(np.sqrt(np.maximum(np.einsum("si,ij,sj->s", off, precision, off), 0)).mean())
