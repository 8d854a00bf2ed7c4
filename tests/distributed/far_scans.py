"""A small scan whose volume is made on workers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from streamlcn.distributed import Cluster, DaskSettings, Handover, SharedScan
from streamlcn.model import Frame, FrameKind, Reference, Scan
from streamlcn.ports import Reconstruction
from streamlcn.reconstruction import ReconstructionSettings, make_reconstructor, make_reference
from streamlcn.telemetry import CATALOGUE, NullTelemetry

__all__ = ["COUNT", "FarScans", "Told", "frame", "local_volume", "reference", "rules", "scan", "volume_of"]

ROWS, COLUMNS, COUNT = 7, 40, 60
ANGLES = np.arange(COUNT) * np.pi / COUNT


@cache
def _frames() -> tuple[npt.NDArray[np.uint16], Reference]:
    """Return counts (index, row, column) behind discs that differ from row to row, and their reference."""
    rng = np.random.default_rng(3)
    lines = np.zeros((COUNT, ROWS, COLUMNS))
    for x, y, radius, value in ((0.0, 0.0, 15.0, 0.03), (5.0, 3.0, 3.0, -0.02), (-6.0, -3.0, 4.0, 0.02)):
        reach = np.arange(COLUMNS) - 20.2 - (x * np.cos(ANGLES) + y * np.sin(ANGLES))[:, None]
        chord = 2 * value * np.sqrt(np.clip(radius**2 - reach**2, 0, None))
        lines += chord[:, None, :] * (1 + 0.1 * np.arange(ROWS))[None, :, None]
    frames = 100 + 20_000 * np.exp(-lines) + rng.normal(0, 20, lines.shape)
    flats, darks = np.full((2, ROWS, COLUMNS), 20_100.0), np.full((2, ROWS, COLUMNS), 100.0)
    return frames.clip(0).astype(np.uint16), make_reference(flats, darks)


def rules(**changes: Any) -> ReconstructionSettings:
    """Settings for the CPU; ``changes`` are sections."""
    method = {"backend": "fbp", "device": "cpu", "threads": 1, "batch": 8, "reorder_window": 12}
    method |= changes.pop("method", {})
    return ReconstructionSettings.model_validate({"method": method, **changes})


def reference() -> Reference:
    """Flat and dark."""
    return _frames()[1]


def scan() -> Scan:
    """The scan as its documents describe it."""
    return Scan(uid="far", projection_count=COUNT, detector_shape=(ROWS, COLUMNS), voxel_size_um=1.0)


def frame(index: int) -> Frame:
    """One projection."""
    pixels = _frames()[0][index]
    return Frame(kind=FrameKind.PROJECTION, index=index, angle_rad=float(ANGLES[index]), pixels=pixels)


def volume_of(session: Reconstruction, indices: Iterable[int]) -> npt.NDArray[np.float32]:
    """Add these projections and return the volume."""
    for index in indices:
        session.add(frame(index))
    return np.concatenate([slab.voxels for slab in session.finish()])


def local_volume(settings: ReconstructionSettings, indices: Iterable[int]) -> npt.NDArray[np.float32]:
    """Return the volume that one process makes."""
    with make_reconstructor(settings).start(scan(), _frames()[1]) as session:
        return volume_of(session, indices)


class Told(NullTelemetry):
    """Keeps counts and levels; each has to be in the catalogue."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.levels: dict[str, float] = {}

    def count(self, what: str, amount: float = 1, **labels: str) -> None:
        assert CATALOGUE[what].labels.keys() == labels.keys()
        self.counts[".".join((what, *labels.values()))] += amount  # type: ignore[assignment]

    def level(self, what: str, value: float, **labels: str) -> None:
        assert CATALOGUE[what].kind == "gauge"
        self.levels[what] = value


class FarScans:
    """Opens scans on the workers of a scheduler."""

    def __init__(
        self, address: str, shared_dir: Path, clock: Callable[[], float] | None = None, **compute: Any
    ) -> None:
        self.settings = DaskSettings(scheduler=address.partition("://")[2], shared_dir=shared_dir, **compute)
        self.told = Told()
        self.cluster = Cluster(self.settings, self.told, **({"clock": clock} if clock else {}))
        self.handover = Handover()

    def start(self, settings: ReconstructionSettings) -> Reconstruction:
        """Open the scan."""
        provider = make_reconstructor(
            settings, open_volumes=lambda scan: SharedScan(self.cluster, self.handover, scan, "recipe")
        )
        return provider.start(scan(), _frames()[1])
