"""A loaded model: volumes in, labels out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from streamlcn.errors import BadInput, SegmentationFailed
from streamlcn.model import CLASS_NAMES, Mask
from streamlcn.segmentation._build import Network
from streamlcn.segmentation._bundle import read_bundle
from streamlcn.segmentation._inference import logits_of_slices
from streamlcn.segmentation._manifest import Manifest
from streamlcn.segmentation._ood import look_at, score

__all__ = ["Model", "load_model", "pick_device"]


class Model:
    """A network, its normalisation and its classes. Holds no volume."""

    def __init__(self, network: Network, manifest: Manifest, device: torch.device) -> None:
        self.manifest = manifest
        self.device = device
        self.network = network.to(device).eval()
        if device.type == "cpu":
            self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._values = np.array([CLASS_NAMES.index(name) for name in manifest.classes], np.uint8)

    @property
    def description(self) -> dict[str, Any]:
        """Name, SHA-256, classes and card of the model, JSON-ready, as results record them."""
        manifest = self.manifest
        return {
            "name": manifest.name,
            "sha256": manifest.weights_sha256,
            "kind": manifest.network.kind,
            "classes": list(manifest.classes),
            "trained_on": manifest.provenance.get("trained_on"),
            "seed": manifest.provenance.get("seed"),
            "metrics": manifest.metrics,
            "device": str(self.device),
        }

    def segment(self, volume: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
        """Return the label of each voxel, (z, y, x) uint8, for a volume of attenuation (z, y, x) float32.

        Raises `SegmentationFailed` for a volume without contrast or with values that are not numbers.
        """
        return np.concatenate([mask.classes for mask in self.segment_slabs(volume, len(volume))])

    def segment_slabs(self, volume: npt.NDArray[np.float32], slab_height: int) -> Iterator[Mask]:
        """Yield labels in slabs, z upwards: together the same as `segment`, whatever the height."""
        best = self._of_slices(volume, slab_height)
        for z_start, logits in best:
            classes = np.stack([each.argmax(dim=0).to(torch.uint8).cpu().numpy() for each in logits])
            yield Mask(z_start=z_start, classes=self._values[classes])

    def probabilities(self, volume: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return class probabilities (class, z, y, x) float32, classes as in the manifest, not calibrated."""
        slabs = list(self._of_slices(volume, len(volume)))
        return np.stack([each.softmax(dim=0).cpu().numpy() for _, logits in slabs for each in logits], axis=1)

    def ood(self, volume: npt.NDArray[np.float32]) -> tuple[float | None, bool]:
        """Return how unlike the training data ``volume`` is, and whether that is too much.

        1 is as far as the farthest known bone is from all others. (None, False) for a bundle without
        reference statistics.
        """
        if self.manifest.ood is None:
            return None, False
        normalisation = self.manifest.normalisation
        scale = normalisation.scale(volume)
        looks = look_at(self.network, volume, scale, normalisation.view_radius, self.device)
        distance = score(looks, self.manifest.ood)
        return distance, distance > self.manifest.ood.flag_above

    def _of_slices(
        self, volume: npt.NDArray[np.float32], slab_height: int
    ) -> Iterator[tuple[int, Iterator[torch.Tensor]]]:
        """Yield (z_start, logits of its slices): use up the inner iterator before the next slab."""
        if volume.ndim != 3:
            raise SegmentationFailed(f"a volume is (z, y, x), this has shape {volume.shape}")
        scale = self.manifest.normalisation.scale(volume)
        depth = len(volume)
        stream = self._inferred(volume, scale, depth)
        for start in range(0, depth, slab_height):
            yield start, (next(stream) for _ in range(min(slab_height, depth - start)))

    def _inferred(self, volume: npt.NDArray[np.float32], scale: Any, depth: int) -> Iterator[torch.Tensor]:
        slices = logits_of_slices(self.network, lambda z: scale(volume[z]), depth, 0, depth, self.device)
        while True:
            try:
                with torch.inference_mode():
                    logits = next(slices)
            except StopIteration:
                return
            except torch.OutOfMemoryError as error:
                raise SegmentationFailed(
                    f"slices of {volume.shape[1:]} pixels do not fit into {self.device}: {error}"
                ) from error
            yield logits


def load_model(bundle: str | Path, *, device: str = "auto", sha256: str | None = None) -> Model:
    """Load a bundle's model onto ``device`` (auto, cpu, cuda, cuda:1).

    Raises `BadInput` when the bundle is not whole, its weights are not those that its manifest or ``sha256``
    names, or there is no such device.
    """
    network, manifest = read_bundle(Path(bundle), sha256)
    return Model(network, manifest, pick_device(device))


def pick_device(device: str) -> torch.device:
    """Return the torch device; auto: a GPU, else the CPU. Raises `BadInput` for one that is absent."""
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        picked = torch.device(device)
    except RuntimeError as error:
        raise BadInput(f"device {device!r} is none: say auto, cpu, cuda or cuda:1") from error
    if picked.type == "cuda" and (picked.index or 0) >= torch.cuda.device_count():
        raise BadInput(
            f"there is no device {device} here ({torch.cuda.device_count()} GPUs): say auto or cpu"
        )
    return picked
