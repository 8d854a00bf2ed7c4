"""What travels through the house: immutable records, no behaviour beyond their own arithmetic.

Axes, everywhere: a frame is ``(row, column)``; a stack of frames ``(index, row, column)``; a volume, slab or
mask ``(z, y, x)``, where z is the detector row. Angles are radians, the centre of rotation is in pixels and
0.0 at the centre of column 0, voxel sizes are micrometres.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = [
    "CLASS_NAMES",
    "Completeness",
    "FileSource",
    "Frame",
    "FrameKind",
    "FrameRef",
    "FramesReady",
    "InlineSource",
    "Label",
    "Mask",
    "Pixels",
    "Reference",
    "ReferenceReady",
    "Scan",
    "ScanEnded",
    "ScanStarted",
    "ScanUpdate",
    "Slab",
]

Pixels: TypeAlias = npt.NDArray[np.uint16] | npt.NDArray[np.float32]
"""Pixels of a frame, (row, column)."""


class Label(IntEnum):
    """Classes of a voxel, the same everywhere."""

    BACKGROUND = 0
    BONE = 1
    LCN = 2
    SHADE_OFF = 3


CLASS_NAMES = ("background", "bone", "lcn", "shade_off")


class FrameKind(IntEnum):
    """What a frame shows; the values are NXtomo's image keys."""

    PROJECTION = 0
    FLAT = 1
    DARK = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class InlineSource:
    """The pixels came inside the document itself."""

    pixels: npt.NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class FileSource:
    """The pixels are frame ``index`` of ``dataset`` in an HDF5 file that may still be growing."""

    path: Path
    dataset: str
    index: int
    swmr: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameRef:
    """Where the pixels of one frame are. ``index`` counts within ``kind``, from 0."""

    scan_uid: str
    kind: FrameKind
    index: int
    angle_rad: float | None
    source: InlineSource | FileSource


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One detector image: ``pixels`` (row, column), uint16 or float32 counts."""

    kind: FrameKind
    index: int
    angle_rad: float | None
    pixels: Pixels


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Averaged dark and flat, (row, column) float32 counts; ``flat_after`` was taken after the scan."""

    dark: npt.NDArray[np.float32]
    flat: npt.NDArray[np.float32]
    flat_after: npt.NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """One tomography run as its documents and the profile describe it.

    ``angles_rad`` is the plan (None when only the events tell the angles), ``centre_of_rotation`` is known
    beforehand or None. ``phase_shift_rad`` is the shift of the phase plate: it decides the sign of the
    contrast; None means absorption contrast. ``is_line_integral`` says that frames are already
    -log(transmission), so that nothing may take a logarithm again. ``assumptions`` lists every value that a
    rule of the profile filled in.
    """

    uid: str
    projection_count: int | None
    detector_shape: tuple[int, int] | None
    voxel_size_um: float
    angles_rad: tuple[float, ...] | None = None
    centre_of_rotation: float | None = None
    energy_kev: float | None = None
    phase_shift_rad: float | None = None
    is_line_integral: bool = False
    started_s: float = 0.0
    assumptions: tuple[str, ...] = ()
    plan: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slab:
    """A contiguous z range of the volume: ``voxels`` (z, y, x) float32, attenuation per voxel edge."""

    z_start: int
    voxels: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mask:
    """Class per voxel of a slab: ``classes`` (z, y, x) uint8, values of `Label`."""

    z_start: int
    classes: npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True)
class Completeness:
    """How much of the plan arrived; ``expected`` is None when no document said how many."""

    projections_expected: int | None
    projections_received: int
    projections_used: int
    duplicates: int = 0
    missing: tuple[int, ...] = ()

    @property
    def is_complete(self) -> bool:
        """Every planned projection was used.

        A scan without a plan is complete when it lost none on the way.
        """
        if self.missing:
            return False
        return self.projections_expected is None or self.projections_used >= self.projections_expected


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanStarted:
    """A run began and it is tomography."""

    scan: Scan


@dataclass(frozen=True, slots=True, kw_only=True)
class FramesReady:
    """Pixels of these frames can be read now."""

    scan_uid: str
    refs: tuple[FrameRef, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceReady:
    """All flats and darks that the profile asks for have arrived: these frames make the reference."""

    scan_uid: str
    flats: tuple[FrameRef, ...]
    darks: tuple[FrameRef, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanEnded:
    """The run stopped. ``outcome`` is bluesky's exit status (success, abort, fail) or 'timeout'."""

    scan_uid: str
    outcome: str
    reason: str
    completeness: Completeness
    problems: tuple[str, ...] = ()


ScanUpdate: TypeAlias = ScanStarted | FramesReady | ReferenceReady | ScanEnded
