"""A loaded model: volumes in, labels out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from streamlcn.errors import BadInput, SegmentationFailed
from streamlcn.model import Mask
from streamlcn.progress import Progress, unheard
from streamlcn.segmentation._build import Network, build_network
from streamlcn.segmentation._bundle import read_bundle
from streamlcn.segmentation._frugal import CPU, Place, at_first_fit, frugal_logits, here_or_on_cpu
from streamlcn.segmentation._inference import GetSlice
from streamlcn.segmentation._labelling import Labelling, PorosityInterval, Tally
from streamlcn.segmentation._manifest import Manifest
from streamlcn.segmentation._normalise import Scale
from streamlcn.segmentation._ood import look_at, score
from streamlcn.segmentation.settings import Precision
from streamlcn.shortage import Shortage, announce, is_shortage

__all__ = ["Model", "load_model", "pick_device"]


class Model:
    """A network, its normalisation and its classes. Holds no volume.

    ``precision`` is that of convolutions: bfloat16 is faster where the processor has it, and changes about
    one label in a thousand.
    """

    def __init__(
        self, network: Network, manifest: Manifest, device: torch.device, precision: Precision = "float32"
    ) -> None:
        self.manifest = manifest
        self.precision = torch.bfloat16 if precision == "bfloat16" else torch.float32
        self.device = device
        self.network = network.to(device).eval()
        self._twin: Network | None = None
        if device.type == "cpu":
            self.network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

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
            "precision": str(self.precision).removeprefix("torch."),
        }

    def segment(self, volume: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
        """Return the label of each voxel, (z, y, x) uint8, for a volume of attenuation (z, y, x) float32.

        Raises `SegmentationFailed` for a volume without contrast or with values that are not numbers.
        """
        return np.concatenate([mask.classes for mask in self.segment_slabs(volume, len(volume))])

    def segment_slabs(self, volume: npt.NDArray[np.float32], slab_height: int) -> Labelling:
        """Yield labels in slabs, z upwards: together the same as `segment`, whatever the height.

        Once they are used up, the iterator's ``porosity`` is the interval of `porosity`.
        """
        logits = self.logits(volume)
        return Labelling(
            logits, self.likely, self.manifest.classes, len(volume), max(1, slab_height), self.porosity_spread
        )

    def label_rows(
        self, get_slice: GetSlice, shape: tuple[int, int, int], scale: Scale, first: int, last: int
    ) -> tuple[Mask, Tally]:
        """Return labels and tally of slices ``first`` to ``last`` (exclusive) of a volume of ``shape``.

        The same as in `segment_slabs`, which finds ``scale`` in the whole volume. ``get_slice`` returns
        slice z (y, x) float32 and is asked for the neighbours, too.
        """
        logits = frugal_logits(
            self._places(), lambda z: scale(get_slice(z)), shape, self.precision, rows=(first, last)
        )
        depth = last - first
        labelling = Labelling(logits, self.likely, self.manifest.classes, depth, depth, None)
        return Mask(z_start=first, classes=next(labelling).classes), labelling.tally

    @property
    def porosity_spread(self) -> float | None:
        """How many ambiguous shares wide intervals of porosity are on either side; None: not known."""
        calibration = self.manifest.calibration
        return calibration.porosity_spread if calibration is not None else None

    def porosity(self, volume: npt.NDArray[np.float32]) -> PorosityInterval | None:
        """Return the porosity that the class probabilities add up to, and its interval.

        The interval is as many times the ambiguous share of the tissue wide as it must be to hold the truth
        of every bone that was held out of training. None for a bundle without calibration by such bones.
        """
        labelling = self.segment_slabs(volume, 1)
        for _ in labelling:
            pass
        return labelling.porosity

    def probabilities(self, volume: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return class probabilities (class, z, y, x) float32, classes as in the manifest.

        Calibrated by the manifest's temperature, if it has one. Needs memory for all classes.
        """
        slices = (here_or_on_cpu(self.likely, each) for each in self.logits(volume))
        return np.stack([likely.cpu().numpy() for likely in slices], axis=1)

    def likely(self, logits: torch.Tensor) -> torch.Tensor:
        """Return calibrated probabilities (class, ...) of logits (class, ...) (Guo et al. 2017)."""
        calibration = self.manifest.calibration
        return (logits if calibration is None else logits / calibration.temperature).softmax(dim=0)

    def ood(self, volume: npt.NDArray[np.float32], tell: Progress = unheard) -> tuple[float | None, bool]:
        """Return how unlike the training data ``volume`` is, and whether that is too much.

        1 is as far as the farthest known bone is from all others. (None, False) for a bundle without
        reference statistics. ``tell`` is told the share of the work that is done.
        """
        if self.manifest.ood is None:
            return None, False
        normalisation = self.manifest.normalisation
        scale = normalisation.scale(volume)
        looks = at_first_fit(
            self._places(),
            lambda network, device: look_at(network, volume, scale, normalisation.view_radius, device, tell),
        )
        distance = score(looks, self.manifest.ood)
        return distance, distance > self.manifest.ood[0].flag_above

    def logits(self, volume: npt.NDArray[np.float32]) -> Iterator[torch.Tensor]:
        """Yield logits (class, y, x) of each slice in order; raises `SegmentationFailed`."""
        if volume.ndim != 3:
            raise SegmentationFailed(f"a volume is (z, y, x), this has shape {volume.shape}")
        return self._inferred(volume, self.manifest.normalisation.scale(volume))

    def _inferred(self, volume: npt.NDArray[np.float32], scale: Scale) -> Iterator[torch.Tensor]:
        depth, rows, columns = volume.shape
        return frugal_logits(
            self._places(), lambda z: scale(volume[z]), (depth, rows, columns), self.precision
        )

    def _places(self) -> list[Place]:
        """Return where the network can run, best first."""
        places = [Place(self.device, lambda: self.network)]
        if self.device != CPU:
            places.append(Place(CPU, self._network_on_cpu))
        return places

    def _network_on_cpu(self) -> Network:
        """Return a copy for when the device has no memory, made once; the device is not asked for any."""
        if self._twin is None:
            twin = build_network(self.network.config).eval()
            twin.load_state_dict(self.network.state_dict())
            twin.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
            self._twin = twin
        return self._twin


def load_model(
    bundle: str | Path,
    *,
    device: str = "auto",
    sha256: str | None = None,
    precision: Precision = "float32",
) -> Model:
    """Load a bundle's model onto ``device`` (auto, cpu, cuda, cuda:1).

    Raises `BadInput` when the bundle is not whole, its weights are not those that its manifest or ``sha256``
    names, or there is no such device. On the CPU instead where the device has no memory for it.
    """
    network, manifest = read_bundle(Path(bundle), sha256)
    picked = pick_device(device)
    try:
        return Model(network, manifest, picked, precision)
    except RuntimeError as error:
        if not is_shortage(error) or picked == CPU:
            raise
        announce(Shortage("segment", str(picked), "the network was loaded onto the CPU"), str(error))
    return Model(network, manifest, CPU, precision)


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
