"""Documents of a real RunEngine with the simulated beamline's devices, recorded in this process."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from simulators.scene import Scene, Segment
from tests.recorder import Documents, passing_folder, record

ROWS, COLUMNS = 6, 8
DARKS, FLATS, PROJECTIONS = 2, 3, 9
ANGLES = tuple(np.linspace(0, np.pi, PROJECTIONS, endpoint=False).tolist())
PIXEL_UM, ENERGY_KEV, PHASE_RAD = 0.1, 12.0, -1.5


@dataclass
class Lamp:
    """Something to expose whose pixels tell what was asked for: 10 dark, 1000 flat, 100 + degrees."""

    shape: tuple[int, int] = (ROWS, COLUMNS)

    def prepare(self, angles_rad: Any) -> None:
        """Nothing to prepare."""

    def expose(
        self, *, angle_rad: float, sample_in: bool = True, shutter_open: bool = True, exposure: int
    ) -> np.ndarray:
        """Return a frame of one value."""
        value = 10 if not shutter_open else 1000 if not sample_in else 100 + round(np.rad2deg(angle_rad))
        return np.full(self.shape, value, np.uint16)


def level_of(index: int) -> int:
    """The value of a projection's pixels."""
    return 100 + round(np.rad2deg(ANGLES[index]))


def scene() -> Scene:
    """Two darks, three flats, nine projections."""
    return Scene(
        exposer=Lamp(),
        segments=(
            Segment(role="dark", angles_rad=(0.0,) * DARKS),
            Segment(role="flat", angles_rad=(0.0,) * FLATS),
            Segment(role="projection", angles_rad=ANGLES),
        ),
        facts={"pixel_size_um": PIXEL_UM, "energy_kev": ENERGY_KEV, "phase_shift_rad": PHASE_RAD},
        exposure_s=0.001,
    )


@cache
def _folder() -> Path:
    return passing_folder("documents")


@cache
def _recorded(plan: str, assets: str, mode: str, fault: str) -> tuple[tuple[str, dict[str, Any]], ...]:
    return record(scene(), _folder(), plan, assets=assets, mode=mode, fault=fault)


def recorded(
    plan: str = "anatomix", assets: str = "inline", mode: str = "step", fault: str = ""
) -> Documents:
    """Return the documents of one scan; the same recording for the same arguments."""
    return [(name, dict(document)) for name, document in _recorded(plan, assets, mode, fault)]
