"""Labels that workers make of a volume that workers made, and this process itself where they cannot."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from streamlcn.distributed._cluster import Cluster, ClusterLost
from streamlcn.distributed._files import checksum, read_rows
from streamlcn.distributed._jobs import LabelJob, SlabFile, made_with
from streamlcn.distributed._tasks import label
from streamlcn.distributed._volumes import Handover, say_lost
from streamlcn.model import Mask
from streamlcn.progress import Progress, unheard
from streamlcn.segmentation import ModelSegmenter
from streamlcn.segmentation._labelling import PorosityInterval, Tally
from streamlcn.segmentation._model import Model
from streamlcn.segmentation._normalise import Scale
from streamlcn.segmentation.settings import Sensor3DSettings, UNetSettings

if TYPE_CHECKING:
    from distributed import Future

__all__ = ["SharedSegmenter"]

_STAGE = "segment"
_MODEL = "model"


class SharedSegmenter:
    """A trained network on workers; see `streamlcn.ports.Segmenter`.

    Volumes that did not come from workers, such as the few slices of a preview, are labelled here.
    """

    def __init__(
        self,
        here: ModelSegmenter,
        settings: Sensor3DSettings | UNetSettings,
        bundle: Path,
        cluster: Cluster,
        handover: Handover,
    ) -> None:
        self._here, self._settings, self._bundle = here, settings, bundle
        self._cluster, self._handover = cluster, handover

    @property
    def model(self) -> Model:
        """The model as this process has it."""
        return self._here.model

    @property
    def description(self) -> Mapping[str, Any]:
        """Name, SHA-256, classes and card of the model."""
        return self._here.description

    def segment(self, volume: npt.NDArray[np.float32]) -> Iterator[Mask]:
        """Yield the labels of ``volume`` (z, y, x) in slabs, z upwards; raises `SegmentationFailed`."""
        slabs = self._handover.find(volume)
        if not slabs:
            return self._here.segment(volume)
        scale = self.model.manifest.normalisation.scale(volume)
        try:
            self._share_model(slabs[0].path.parent)
        except OSError as error:
            say_lost(self._cluster, _STAGE, str(error))
            return self._here.segment(volume)
        return _SharedLabelling(self.model, self._cluster, volume, scale, self._jobs(volume, scale, slabs))

    def ood(self, volume: npt.NDArray[np.float32], tell: Progress = unheard) -> tuple[float | None, bool]:
        """Return how unlike the training data ``volume`` is, and whether that is too much: a dozen slices."""
        return self._here.ood(volume, tell)

    def _share_model(self, folder: Path) -> None:
        """Put the model where workers find it, whole or not at all."""
        if not (folder / _MODEL).exists():
            draft = folder / f".{_MODEL}-{secrets.token_hex(4)}"
            shutil.copytree(self._bundle, draft)
            draft.rename(folder / _MODEL)

    def _jobs(
        self, volume: npt.NDArray[np.float32], scale: Scale, slabs: tuple[SlabFile, ...]
    ) -> list[LabelJob]:
        folder = slabs[0].path.parent
        depth, rows, columns = volume.shape
        return [
            LabelJob(
                made_with=made_with(),
                slabs=slabs,
                shape=(depth, rows, columns),
                first=slab.first,
                last=slab.last,
                scale=(scale.low, scale.high, scale.clip),
                bundle=folder / _MODEL,
                sha256=self.model.manifest.weights_sha256,
                device=self._settings.device,
                precision=self._settings.precision,
                out=folder / f"labels-{slab.first}.npy",
            )
            for slab in slabs
        ]


class _SharedLabelling(Iterator[Mask]):
    """Yields what workers labelled, z upwards; ``porosity`` tells what the probabilities add up to."""

    def __init__(
        self,
        model: Model,
        cluster: Cluster,
        volume: npt.NDArray[np.float32],
        scale: Scale,
        jobs: list[LabelJob],
    ) -> None:
        self._model, self._cluster, self._volume, self._scale = model, cluster, volume, scale
        classes = model.manifest.classes
        self._tally = Tally(classes, np.zeros((len(volume), len(classes))), np.zeros(len(volume)))
        self._jobs = jobs
        self._futures: list[Future] = []
        self._is_lost = False
        self._next = 0
        name = jobs[0].out.parent.name
        try:
            cluster.look()
            self._futures = [
                cluster.submit(label, job, f"label-{name}-{job.first}:{job.last}") for job in jobs
            ]
        except (ClusterLost, OSError) as error:
            self._lose(str(error))

    def __next__(self) -> Mask:
        """Return the next slab."""
        if self._next >= len(self._jobs):
            raise StopIteration
        index, self._next = self._next, self._next + 1
        job = self._jobs[index]
        if not self._is_lost:
            try:
                return self._from_worker(job, self._futures[index])
            except (ClusterLost, OSError) as error:
                self._lose(str(error))
        volume = self._volume
        mask, tally = self._model.label_rows(lambda z: volume[z], job.shape, self._scale, job.first, job.last)
        self._tally.likely[job.first : job.last] = tally.likely
        self._tally.ambiguous[job.first : job.last] = tally.ambiguous
        return mask

    @property
    def porosity(self) -> PorosityInterval | None:
        """The interval from the slices so far; None without calibration by known bones, or without tissue."""
        return self._tally.interval(self._model.porosity_spread)

    def _from_worker(self, job: LabelJob, future: Future) -> Mask:
        self._cluster.await_all([future], _STAGE)
        done = self._cluster.take(future, _STAGE)
        classes = read_rows(job.out, 0, job.last - job.first)
        if checksum(classes) != done.crc32:
            raise ClusterLost(f"{job.out.name} is not here as its worker wrote it")
        self._tally.likely[job.first : job.last] = done.likely
        self._tally.ambiguous[job.first : job.last] = done.ambiguous
        return Mask(z_start=job.first, classes=classes)

    def _lose(self, why: str) -> None:
        self._is_lost = True
        say_lost(self._cluster, _STAGE, why)
