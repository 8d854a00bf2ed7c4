"""A rod with two bores turns before a camera: its documents by a real RunEngine, and a profile for them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from simulators.scene import Scene, plain_segments
from streamlcn.documents import JournalWriter, encode
from streamlcn.profile import Profile, load_profile
from tests.recorder import Documents, passing_folder, record

ROWS, COLUMNS, PROJECTIONS = 8, 48, 60
ANGLES = tuple(np.linspace(0, np.pi, PROJECTIONS, endpoint=False).tolist())
AXIS_PX = 24.1
_DISCS = ((0.0, 0.0, 16.0, 0.05), (5.0, 3.0, 3.5, -0.05), (-7.0, -2.0, 2.5, -0.05))  # x, y, radius, 1/pixel


class Rod:
    """Counts of 100 in the dark, 20 000 in the beam, less behind the rod."""

    shape = (ROWS, COLUMNS)

    def prepare(self, angles_rad: Any) -> None:
        """Nothing to prepare."""

    def expose(
        self, *, angle_rad: float, sample_in: bool = True, shutter_open: bool = True, exposure: int
    ) -> npt.NDArray[np.uint16]:
        """Return one frame; each exposure has noise of its own."""
        rng = np.random.default_rng(exposure)
        beam = 20_000.0 if shutter_open else 0.0
        lines = np.zeros(COLUMNS)
        for x, y, radius, value in _DISCS if sample_in else ():
            distance = np.arange(COLUMNS) - AXIS_PX - x * np.cos(angle_rad) - y * np.sin(angle_rad)
            lines += 2 * value * np.sqrt(np.clip(radius**2 - distance**2, 0, None))
        frame = np.broadcast_to(100 + beam * np.exp(-lines), self.shape)
        return (frame + rng.normal(0, 5, self.shape)).clip(0).astype(np.uint16)


def scene() -> Scene:
    """Two darks, three flats, sixty projections."""
    facts = {"pixel_size_um": 0.5, "energy_kev": 10.0, "sample_name": "rod"}
    return Scene(
        exposer=Rod(), segments=plain_segments(ANGLES, dark_count=2, flat_count=3), facts=facts,
        rotation_axis_px=AXIS_PX, exposure_s=0.001,
    )  # fmt: skip


@cache
def folder() -> Path:
    """Where the camera writes files."""
    return passing_folder("rod")


@cache
def _recorded(assets: str, mode: str, fault: str) -> tuple[tuple[str, dict[str, Any]], ...]:
    return record(scene(), folder(), assets=assets, mode=mode, fault=fault)


def recorded(assets: str = "inline", mode: str = "step", fault: str = "") -> Documents:
    """Return the documents of one scan; the same recording for the same arguments."""
    return [(name, dict(document)) for name, document in _recorded(assets, mode, fault)]


def uid_of(documents: Documents) -> str:
    """Return the uid of the first run."""
    return next(document["uid"] for name, document in documents if name == "start")


def profile(state: Path, **overrides: Any) -> Profile:
    """ANATOMIX as it is shipped, with thresholds for a network, results in memory and files in `folder`."""
    return load_profile(
        "anatomix",
        {
            "ingest.state_dir": str(state),
            "documents.files.allowed_roots": [str(folder())],
            "documents.settle_s": 0.0,
            "segmentation": {"backend": "otsu"},
            "morphometry.island_threshold_voxels": 5,
            "store.backend": "memory",
            "frames.timeout_s": 0.5,
            **overrides,
        },
    )


def journal(directory: Path, documents: Iterable[tuple[str, dict[str, Any]]]) -> None:
    """Append documents to the journal in ``directory``."""
    with JournalWriter(directory) as writer:
        for name, document in documents:
            writer.append(encode(name, document))
