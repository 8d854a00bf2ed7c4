"""What stands in front of the camera: something to expose, what to take of it, and what is known about it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

Role: TypeAlias = Literal["dark", "flat", "projection"]


class Exposer(Protocol):
    """All that a camera needs of a sample in its microscope; live optics and stored scans have it alike."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of a frame."""

    def prepare(self, angles_rad: npt.ArrayLike) -> None:
        """Make ready for these angles, so that exposing them is quick."""

    def expose(
        self, *, angle_rad: float, sample_in: bool = True, shutter_open: bool = True, exposure: int
    ) -> npt.NDArray[Any]:
        """Return one frame of counts (row, column); ``exposure`` numbers the frames of a scan from 0."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Segment:
    """Frames of one role, one after the other; darks and flats have angles too, which mean nothing."""

    role: Role
    angles_rad: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.angles_rad)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One scan's subject.

    ``facts`` are start-document keys that hold whatever the plan: pixel size, energy, sample name.
    ``is_dropped`` tells whether the camera loses the exposure of that number, counted from 0.
    ``write_truth`` writes what is known to be true of the sample, where that is known.
    """

    exposer: Exposer
    segments: tuple[Segment, ...]
    facts: Mapping[str, Any]
    dtype: np.dtype[Any] = field(default_factory=lambda: np.dtype(np.uint16))
    rotation_axis_px: float | None = None
    exposure_s: float = 1.0
    is_dropped: Callable[[int], bool] = lambda exposure: False  # noqa: ARG005
    write_truth: Callable[[str], None] | None = None

    def count(self, role: Role) -> int:
        """Return how many frames of ``role`` the scan takes."""
        return sum(len(segment) for segment in self.segments if segment.role == role)

    @property
    def angles_rad(self) -> tuple[float, ...]:
        """Angles of all projections, in the order they are taken."""
        return self.angles_of("projection")

    def angles_of(self, role: Role) -> tuple[float, ...]:
        """Return the angles of all frames of ``role``."""
        return tuple(angle for part in self.segments if part.role == role for angle in part.angles_rad)


def plain_segments(angles_rad: Sequence[float], *, dark_count: int, flat_count: int) -> tuple[Segment, ...]:
    """Return darks, flats and projections in this order; what has no frames is left out."""
    segments = (
        Segment(role="dark", angles_rad=(0.0,) * dark_count),
        Segment(role="flat", angles_rad=(0.0,) * flat_count),
        Segment(role="projection", angles_rad=tuple(float(angle) for angle in angles_rad)),
    )
    return tuple(segment for segment in segments if len(segment))


def grouped(segments: Sequence[Segment], order: Sequence[Role]) -> tuple[Segment, ...]:
    """Return the segments with all frames of a role together, the roles in ``order``."""
    merged = [
        Segment(
            role=role,
            angles_rad=tuple(angle for part in segments if part.role == role for angle in part.angles_rad),
        )
        for role in order
    ]
    return tuple(segment for segment in merged if len(segment))
