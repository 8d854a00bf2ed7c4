"""What the pipeline sees: the port's segmenters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from streamlcn.errors import BadInput, SegmentationFailed
from streamlcn.model import CLASS_NAMES, Label, Mask
from streamlcn.ports import Segmenter
from streamlcn.progress import Progress, unheard
from streamlcn.segmentation._normalise import in_view
from streamlcn.segmentation._otsu import PAPER_EDGES, PAPER_LABELS, otsu_edges
from streamlcn.segmentation.settings import OtsuSettings, SegmentationSettings

if TYPE_CHECKING:
    from streamlcn.segmentation._labelling import Labelling
    from streamlcn.segmentation._model import Model

__all__ = ["ModelSegmenter", "OtsuSegmenter", "make_segmenter"]

_VIEW_RADIUS = 0.47


class ModelSegmenter:
    """A trained network."""

    def __init__(self, model: Model, slab_height: int = 32) -> None:
        self.model = model
        self._slab_height = slab_height

    @property
    def description(self) -> Mapping[str, Any]:
        """Name, SHA-256, classes and card of the model."""
        return self.model.description

    def segment(self, volume: npt.NDArray[np.float32]) -> Labelling:
        """Yield the labels of ``volume`` (z, y, x) in slabs, z upwards; raises `SegmentationFailed`.

        Once they are used up, the iterator's ``porosity`` is an interval, or None.
        """
        return self.model.segment_slabs(volume, self._slab_height)

    def ood(self, volume: npt.NDArray[np.float32], tell: Progress = unheard) -> tuple[float | None, bool]:
        """Return how unlike the training data ``volume`` is, and whether that is too much.

        ``tell`` is told the share of the work that is done.
        """
        return self.model.ood(volume, tell)


class OtsuSegmenter:
    """Thresholds only. Zernike artefacts are dark as pores are: expect a porosity that is far too high."""

    def __init__(self, settings: OtsuSettings) -> None:
        self._settings = settings

    @property
    def description(self) -> Mapping[str, Any]:
        """Name and classes; there are no weights, so no SHA-256."""
        return {
            "name": f"otsu-{self._settings.ranges}",
            "sha256": None,
            "kind": "otsu",
            "classes": list(CLASS_NAMES),
        }

    def segment(self, volume: npt.NDArray[np.float32]) -> Iterator[Mask]:
        """Yield the labels of ``volume`` (z, y, x) in slabs, z upwards; raises `SegmentationFailed`."""
        if volume.ndim != 3 or 0 in volume.shape:
            raise SegmentationFailed(
                f"a volume is (z, y, x) with voxels in it, this has shape {volume.shape}"
            )
        sample = in_view(volume, _VIEW_RADIUS)
        if not np.isfinite(sample).all():
            raise SegmentationFailed("the volume holds values that are not numbers")
        edges, labels = self._ranges(sample)
        for start in range(0, len(volume), self._settings.slab_height):
            slab = volume[start : start + self._settings.slab_height]
            yield Mask(z_start=start, classes=labels[np.digitize(slab, edges)])

    def ood(
        self,
        volume: npt.NDArray[np.float32],  # noqa: ARG002
        tell: Progress = unheard,  # noqa: ARG002
    ) -> tuple[float | None, bool]:
        """Nobody can tell: thresholds have no training data."""
        return None, False

    def _ranges(
        self, sample: npt.NDArray[np.float32]
    ) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.uint8]]:
        if self._settings.ranges == "three":
            edges = np.array(otsu_edges(sample))
            return edges, np.array([Label.LCN, Label.BACKGROUND, Label.BONE], np.uint8)
        low, high = np.percentile(sample, [0.05, 99.95])
        if not high > low:
            raise SegmentationFailed(f"the volume has no contrast: nearly all voxels are {low:g}")
        return low + (high - low) * np.array(PAPER_EDGES), np.array(PAPER_LABELS, np.uint8)


def make_segmenter(settings: SegmentationSettings, base_dir: str | Path) -> Segmenter:
    """Return the segmenter that ``settings`` name; a bundle's path is relative to ``base_dir``.

    Raises `BadInput` for a bundle that is not whole or does not fit the settings.
    """
    if isinstance(settings, OtsuSettings):
        return OtsuSegmenter(settings)
    from streamlcn.segmentation._model import load_model

    model = load_model(
        Path(base_dir) / settings.bundle,
        device=settings.device,
        sha256=settings.sha256,
        precision=settings.precision,
    )
    if model.manifest.network.kind != settings.backend:
        raise BadInput(
            f"{Path(base_dir) / settings.bundle} holds a {model.manifest.network.kind}, "
            f"the profile asks for {settings.backend}: correct segmentation.backend or segmentation.bundle"
        )
    return ModelSegmenter(model, settings.slab_height)
