"""Volumes that workers make, and this process itself where they cannot."""

from __future__ import annotations

import shutil
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

from streamlcn.distributed._cluster import Cluster, ClusterLost
from streamlcn.distributed._far import FarVolume
from streamlcn.distributed._files import make_scan_dir, name_of
from streamlcn.distributed._jobs import SlabFile
from streamlcn.model import Scan
from streamlcn.reconstruction._accumulator import Projected
from streamlcn.reconstruction._devices import make_accumulator
from streamlcn.reconstruction._movable import add_again
from streamlcn.reconstruction._volumes import PlacedAccumulator
from streamlcn.reconstruction.settings import FbpSettings
from streamlcn.shortage import Shortage, announce

__all__ = ["Handover", "SharedScan", "WorkersLost", "say_lost"]

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class WorkersLost(Shortage):
    """Workers could not do it; ``device`` is their scheduler, ``done`` what was done instead."""

    event: ClassVar[str] = "workers_lost"
    runbook: ClassVar[str] = "workers-lost"

    @property
    def text(self) -> str:
        """One line for operators and for the result."""
        return f"the workers of {self.device} could not go on: {self.done}"


def say_lost(cluster: Cluster, stage: str, why: str) -> None:
    """Tell log, page, result and telemetry that this computer goes on alone with a stage of a scan."""
    cluster.fell_back()
    done = f"this computer went on alone ({why})"
    announce(WorkersLost(stage, cluster.settings.address, done), why)


@dataclass(slots=True)
class Handover:
    """The last volume that workers made, and the files that it lies in, for who works on it next."""

    _volume: weakref.ref[npt.NDArray[np.float32]] | None = None
    _slabs: tuple[SlabFile, ...] = ()

    def put(self, volume: npt.NDArray[np.float32], slabs: tuple[SlabFile, ...]) -> None:
        """Remember where ``volume`` lies, for as long as it lives."""
        self._volume, self._slabs = weakref.ref(volume), slabs

    def find(self, volume: npt.NDArray[np.float32]) -> tuple[SlabFile, ...]:
        """Return the files of this very array; none for any other."""
        is_this = self._volume is not None and self._volume() is volume
        return self._slabs if is_this else ()

    def clear(self) -> None:
        """Forget it: the files are gone."""
        self._volume, self._slabs = None, ()


class SharedScan:
    """Volumes of one scan, on workers until these are lost; see `streamlcn.reconstruction.Volumes`."""

    def __init__(self, cluster: Cluster, handover: Handover, scan: Scan, recipe_hash: str) -> None:
        self.cluster, self.handover = cluster, handover
        self.name = name_of(scan.uid, recipe_hash)
        self._folder: Path | None = None
        self._why: str | None = None
        self._has_joined = False
        try:
            cluster.join()
            self._has_joined = True
            cluster.look()
            self._folder = make_scan_dir(cluster.settings.shared_dir, self.name)
        except (ClusterLost, OSError) as error:
            self.lose(str(error))

    @property
    def where(self) -> str | None:
        """Where volumes grow; None once that is an ordinary device."""
        return f"dask at {self.cluster.settings.address}" if self._why is None else None

    @property
    def folder(self) -> Path | None:
        """Where workers find the scan; None once they are lost."""
        return self._folder if self._why is None else None

    def lose(self, why: str) -> None:
        """Have the rest of this scan done here, and say so."""
        if self._why is None:
            self._why = why
            say_lost(self.cluster, "reconstruct", why)

    def open(
        self, method: FbpSettings, device: str, shape: tuple[int, int], centre: float, threads: int
    ) -> PlacedAccumulator:
        """Return an empty volume; see `streamlcn.reconstruction`."""
        return _SharedVolume(self, method, device, shape, centre, threads)

    def close(self) -> None:
        """Remove what the scan had in the shared folder."""
        self.handover.clear()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        if self._has_joined:
            self._has_joined = False
            self.cluster.leave()


class _SharedVolume:
    """An accumulator whose slabs are elsewhere until its workers are lost.

    All that was added is remembered, without its pixels, and added again here then: the same bits.
    """

    def __init__(
        self,
        scan: SharedScan,
        method: FbpSettings,
        device: str,
        shape: tuple[int, int],
        centre: float,
        threads: int,
    ) -> None:
        self._scan, self._device, self._rows = scan, device, shape[0]
        self._added: list[Projected] = []
        self._make_here = partial(make_accumulator, method, device, shape, centre, threads)
        self._here: PlacedAccumulator | None = None
        self._far: FarVolume | None = None
        if scan.folder is not None:
            try:
                self._far = FarVolume(scan.cluster, scan.folder, scan.name, method, shape, centre, threads)
            except ClusterLost as error:
                scan.lose(str(error))

    @property
    def device(self) -> str:
        """What this process itself would use, or uses."""
        return self._here.device if self._here is not None else self._device

    @property
    def slab_rows(self) -> int:
        """All: what workers made is one array, which the next stage recognises."""
        return self._rows if self._far is not None else self._ready().slab_rows

    def add(self, projections: Sequence[Projected]) -> None:
        self._try(lambda far: far.add(projections), lambda here: here.add(projections))
        self._added += projections

    def clear(self) -> None:
        raise NotImplementedError("a volume is closed and another one opened")

    def plane(self, axis: int, index: int, scale: float) -> npt.NDArray[np.float32]:
        return self._try(
            lambda far: far.plane(axis, index, scale), lambda here: here.plane(axis, index, scale)
        )

    def slab(self, z_start: int, z_stop: int, scale: float) -> npt.NDArray[np.float32]:
        def fetch(far: FarVolume) -> npt.NDArray[np.float32]:
            volume, slabs = far.slabs(scale)
            if (z_start, z_stop) != (0, self._rows):
                return volume[z_start:z_stop]
            self._scan.handover.put(volume, slabs)
            return volume

        return self._try(fetch, lambda here: here.slab(z_start, z_stop, scale))

    def close(self) -> None:
        self._added.clear()
        for volume in (self._far, self._here):
            if volume is not None:
                volume.close()
        self._far = self._here = None

    def _try(self, there: Callable[[FarVolume], _T], here: Callable[[PlacedAccumulator], _T]) -> _T:
        if self._far is not None:
            try:
                return there(self._far)
            except (ClusterLost, OSError) as error:
                self._scan.lose(str(error))
            self._far.close()
            self._far = None
        return here(self._ready())

    def _ready(self) -> PlacedAccumulator:
        """Return the volume of this process, with all in it that was added."""
        if self._here is None:
            here = self._make_here()
            add_again(here, self._added)
            self._here = here
        return self._here
