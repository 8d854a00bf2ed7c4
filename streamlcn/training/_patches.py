"""Random patches of three slices with the labels of the middle one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from streamlcn.training.settings import AugmentSettings

__all__ = ["Batch", "Part", "Sampler", "augment"]

Batch: TypeAlias = tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]
"""Windows of three slices (n, 3, y, x) and the labels (n, y, x) of their middles."""


@dataclass(frozen=True, slots=True)
class Part:
    """Slices ``z`` of a normalised volume (z, y, x), with ``labels`` as indices of the model's classes."""

    volume: npt.NDArray[np.float16]
    labels: npt.NDArray[np.uint8]
    z: npt.NDArray[np.intp]


class Sampler:
    """Draws batches from parts; every draw comes from the one generator it is given."""

    def __init__(self, parts: list[Part], patch_px: int, lcn_share: float, lcn_index: int | None) -> None:
        self._parts = [part for part in parts if len(part.z)]
        self._patch, self._lcn_share = patch_px, lcn_share
        slices = np.array([len(part.z) for part in self._parts])
        self._weights = slices / slices.sum()
        self._lcn = [self._places_of(part, lcn_index) for part in self._parts]

    def batch(self, count: int, rng: np.random.Generator, settings: AugmentSettings | None) -> Batch:
        """Return ``count`` windows (n, 3, patch, patch) float32 and labels (n, patch, patch) int64."""
        drawn = [self._draw(rng, is_lcn=index < round(self._lcn_share * count)) for index in range(count)]
        if settings is not None:
            drawn = [augment(window, labels, rng, settings) for window, labels in drawn]
        return np.stack([window for window, _ in drawn]), np.stack([labels for _, labels in drawn])

    def _draw(
        self, rng: np.random.Generator, *, is_lcn: bool
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
        chosen = int(rng.choice(len(self._parts), p=self._weights))
        part, places = self._parts[chosen], self._lcn[chosen]
        depth, rows, columns = part.volume.shape
        if is_lcn and len(places):
            z, row, column = np.unravel_index(int(rng.choice(places)), part.volume.shape)
        else:
            z, row, column = rng.choice(part.z), rng.integers(rows), rng.integers(columns)
        y0, x0 = self._corner(int(row), rows, rng), self._corner(int(column), columns, rng)
        window = np.clip([z - 1, z, z + 1], 0, depth - 1)
        cut = np.s_[y0 : y0 + self._patch, x0 : x0 + self._patch]
        grey = np.stack([part.volume[each][cut] for each in window]).astype(np.float32)
        labels = part.labels[z][cut].astype(np.int64)
        short = ((0, self._patch - labels.shape[0]), (0, self._patch - labels.shape[1]))
        return np.pad(grey, ((0, 0), *short), mode="edge"), np.pad(labels, short, constant_values=255)

    def _corner(self, at: int, size: int, rng: np.random.Generator) -> int:
        """Put the patch about ``at``, its middle moved by up to a quarter, inside the slice."""
        jitter = int(rng.integers(-self._patch // 4, self._patch // 4 + 1))
        return int(np.clip(at + jitter - self._patch // 2, 0, max(0, size - self._patch)))

    def _places_of(self, part: Part, lcn_index: int | None) -> npt.NDArray[np.intp]:
        if lcn_index is None:
            return np.empty(0, np.intp)
        places = np.flatnonzero(part.labels[part.z] == lcn_index)
        layer = part.labels[0].size
        return part.z[places // layer] * layer + places % layer


def augment(
    window: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    rng: np.random.Generator,
    settings: AugmentSettings,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Bend, turn, flip and shift in grey; labels move with their voxels."""
    if settings.elastic_px or settings.zoom:
        window, labels = _bent(window, labels, rng, settings)
    if settings.turn:
        turns = int(rng.integers(4))
        window, labels = np.rot90(window, turns, axes=(1, 2)), np.rot90(labels, turns)
        if rng.random() < 0.5:
            window, labels = window[:, :, ::-1], labels[:, ::-1]
        if rng.random() < 0.5:
            window = window[::-1]
    gain = 1 + rng.uniform(-settings.gain, settings.gain)
    offset = rng.uniform(-settings.offset, settings.offset)
    noise = rng.standard_normal(window.shape, np.float32) * rng.uniform(0, settings.noise)
    changed = (window - 0.5) * np.float32(gain) + np.float32(0.5 + offset) + noise.astype(np.float32)
    return np.ascontiguousarray(changed, np.float32), np.ascontiguousarray(labels)


def _bent(
    window: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    rng: np.random.Generator,
    settings: AugmentSettings,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.int64]]:
    """Zoom about the middle and move voxels by a smooth random field (Simard et al. 2003).

    All three slices alike. Grey values are interpolated linearly, labels taken from the nearest voxel;
    what comes from outside the patch is its edge, unlabelled.
    """
    from scipy import ndimage

    rows, columns = labels.shape
    zoom = np.exp(rng.uniform(-1, 1) * np.log1p(settings.zoom))
    coarse = rng.standard_normal((2, 4, 4)) * settings.elastic_px
    field = [ndimage.zoom(each, (rows / 4, columns / 4), order=3, mode="nearest") for each in coarse]
    y = (np.arange(rows)[:, None] - (rows - 1) / 2) / zoom + (rows - 1) / 2 + field[0]
    x = (np.arange(columns) - (columns - 1) / 2) / zoom + (columns - 1) / 2 + field[1]
    bent = [ndimage.map_coordinates(each, (y, x), order=1, mode="nearest") for each in window]
    moved = ndimage.map_coordinates(labels, (y, x), order=0, mode="constant", cval=255)
    return np.stack(bent), moved
