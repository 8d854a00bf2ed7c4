"""Where the volume of one scan grows: in this process, unless somebody offers another place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from streamlcn.model import Scan
from streamlcn.reconstruction._accumulator import Accumulator
from streamlcn.reconstruction._devices import make_accumulator
from streamlcn.reconstruction.settings import FbpSettings

__all__ = ["OpenVolumes", "PlacedAccumulator", "Volumes", "VolumesHere"]


class PlacedAccumulator(Accumulator, Protocol):
    """An accumulator that knows its device."""

    @property
    def device(self) -> str:
        """One of `chosen_device`."""
        ...


class Volumes(Protocol):
    """The volumes of one scan, one after the other: another one when the centre of rotation moved."""

    @property
    def where(self) -> str | None:
        """Where they grow, for the result; None: on the device that the accumulator names."""
        ...

    def open(
        self, method: FbpSettings, device: str, shape: tuple[int, int], centre: float, threads: int
    ) -> PlacedAccumulator:
        """Return an empty volume for a detector ``shape`` (row, column); see `make_accumulator`."""
        ...

    def close(self) -> None:
        """Drop what was kept for the scan."""
        ...


class VolumesHere:
    """In this process, on the device that the profile names."""

    where: str | None = None

    def open(
        self, method: FbpSettings, device: str, shape: tuple[int, int], centre: float, threads: int
    ) -> PlacedAccumulator:
        """Return an empty volume; see `make_accumulator`."""
        return make_accumulator(method, device, shape, centre, threads)

    def close(self) -> None:
        """Nothing is kept."""


OpenVolumes = Callable[[Scan], Volumes]
"""Opens the volumes of a scan."""
