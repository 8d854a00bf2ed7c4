"""Grey values of a volume on one scale: two percentiles inside the field of view become 0 and 1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

from streamlcn.errors import SegmentationFailed
from streamlcn.settings import Settings

__all__ = ["GREY_LEVELS", "Normalisation", "Scale", "in_view"]

GREY_LEVELS = tuple(np.linspace(0.01, 0.99, 33).tolist())
"""Quantiles that describe a volume's grey values."""

_SAMPLE = 1_000_000


class Normalisation(Settings):
    """How a model wants its input; part of its manifest."""

    low_percentile: float = Field(1.0, ge=0, lt=50, description="Becomes 0.")
    high_percentile: float = Field(99.0, gt=50, le=100, description="Becomes 1.")
    clip: tuple[float, float] = Field((-1.5, 2.5), description="Normalised values beyond are cut off.")
    view_radius: float = Field(
        0.47, gt=0, le=0.5, description="Only voxels this near the middle count, in shares of the width."
    )

    @model_validator(mode="after")
    def _is_ordered(self) -> Normalisation:
        if self.clip[0] >= self.clip[1]:
            raise ValueError(f"clip is (low, high), not {self.clip}")
        return self

    def scale(self, volume: npt.NDArray[np.float32]) -> Scale:
        """Measure ``volume`` (z, y, x).

        Raises `SegmentationFailed` for one that is empty, constant or holds values that are not numbers.
        """
        if volume.ndim != 3 or 0 in volume.shape:
            raise SegmentationFailed(
                f"a volume is (z, y, x) with voxels in it, this has shape {volume.shape}"
            )
        sample = in_view(volume, self.view_radius)
        if not np.isfinite(sample).all():
            raise SegmentationFailed(
                "the volume holds values that are not numbers: look at flats, darks and centre of rotation"
            )
        low, high = np.percentile(sample, [self.low_percentile, self.high_percentile])
        if not high > low:
            raise SegmentationFailed(
                f"the volume has no contrast: percentiles {self.low_percentile:g} and "
                f"{self.high_percentile:g} are both {low:g}"
            )
        return Scale(float(low), float(high), self.clip)


@dataclass(frozen=True, slots=True)
class Scale:
    """The two grey values of one volume that become 0 and 1."""

    low: float
    high: float
    clip: tuple[float, float]

    def __call__(self, voxels: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return normalised values, float32, of any part of the volume."""
        scaled = (voxels.astype(np.float32) - np.float32(self.low)) / np.float32(self.high - self.low)
        return np.clip(scaled, *self.clip).astype(np.float32)


def in_view(volume: npt.NDArray[np.float32], view_radius: float) -> npt.NDArray[np.float32]:
    """Return at most about a million voxels inside the round field of view, evenly spread; flat."""
    depth, rows, columns = volume.shape
    y = (np.arange(rows) - (rows - 1) / 2)[:, None]
    x = np.arange(columns) - (columns - 1) / 2
    inside = np.hypot(y, x) <= max(view_radius * min(rows, columns), 1.0)
    in_plane = 2 if inside.sum() > 4096 else 1
    inside[1::in_plane] &= in_plane == 1
    step = max(1, -(-depth * int(inside.sum()) // _SAMPLE))
    return volume[::step][:, inside].ravel()
