"""Play a stored scan: its frames come out of the camera again when the stage is at their angle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import h5py
import numpy as np
import numpy.typing as npt

from simulators.scan_files import StoredScan, read_scan_file
from simulators.scene import Role, Scene, Segment

_TOLERANCE_RAD = 1e-7

ReadFrame: TypeAlias = Callable[[Role, int], npt.NDArray[Any]]


class StoredFrames:
    """An exposer whose frames were taken long ago; their pixels come out unchanged.

    Darks and flats come in the order they were taken. A projection is found by its angle; where several have
    the same angle, they come in their order too.

    Parameters
    ----------
    read
        Reads the frame of a role and number.
    counts
        How many frames there are of each role.
    angles_rad
        Of each projection.
    shape
        Of a frame, (rows, columns).
    """

    def __init__(
        self,
        read: ReadFrame,
        *,
        counts: Mapping[Role, int],
        angles_rad: Sequence[float],
        shape: tuple[int, int],
    ) -> None:
        self.shape = shape
        self._read = read
        self._counts = counts
        self._by_angle = np.argsort(angles_rad, kind="stable")
        self._sorted = np.asarray(angles_rad, np.float64)[self._by_angle]
        self._played: dict[Role, int] = {"dark": 0, "flat": 0}
        self._visits: dict[int, int] = {}

    def prepare(self, angles_rad: npt.ArrayLike) -> None:
        """Check that there is a projection at each angle; raises ValueError for the first without."""
        for angle in np.asarray(angles_rad, np.float64).ravel():
            self._at(float(angle))

    def expose(
        self, *, angle_rad: float, sample_in: bool = True, shutter_open: bool = True, exposure: int
    ) -> npt.NDArray[Any]:
        """Return the next frame of its kind; raises ValueError when there is none (left)."""
        del exposure
        if not shutter_open:
            return self._read("dark", self._next("dark"))
        if not sample_in:
            return self._read("flat", self._next("flat"))
        candidates = self._at(angle_rad)
        visit = self._visits.get(int(candidates[0]), 0)
        self._visits[int(candidates[0])] = visit + 1
        return self._read("projection", int(candidates[visit % len(candidates)]))

    def _next(self, role: Role) -> int:
        number = self._played[role]
        if number >= self._counts.get(role, 0):
            raise ValueError(f"the stored scan has {number} {role}s, and one more was asked for")
        self._played[role] = number + 1
        return number

    def _at(self, angle_rad: float) -> npt.NDArray[np.intp]:
        first, last = np.searchsorted(self._sorted, [angle_rad - _TOLERANCE_RAD, angle_rad + _TOLERANCE_RAD])
        if first == last:
            raise ValueError(f"the stored scan has no projection at {np.rad2deg(angle_rad):.6f} degrees")
        return np.sort(self._by_angle[first:last])


@dataclass(frozen=True, kw_only=True)
class Overrides:
    """What a person says of a stored scan: what it does not say itself, and how much to play of it."""

    pixel_size_um: float | None = None
    energy_kev: float | None = None
    is_line_integral: bool = False
    projection_count: int | None = None


def stored_scene(scan: StoredScan, read: ReadFrame, said: Overrides) -> Scene:
    """Return the scene that plays ``scan``.

    Raises
    ------
    ValueError
        It has no flats and darks and nobody said that its frames are line integrals, or the reverse; or it
        has fewer projections than are asked for.
    """
    _check_references(scan, said)
    facts = dict(scan.facts)
    if said.pixel_size_um is not None:
        facts["pixel_size_um"] = said.pixel_size_um
    if said.energy_kev is not None:
        facts["energy_kev"] = said.energy_kev
    if said.is_line_integral:
        facts["frames_are_line_integrals"] = True
    frames = StoredFrames(
        read, counts=scan.counts, angles_rad=scan.angles_of("projection"), shape=scan.frame_shape
    )
    return Scene(
        exposer=frames,
        segments=_thinned(scan, said.projection_count),
        facts=facts,
        dtype=scan.dtype,
        exposure_s=scan.exposure_s,
    )


def file_scene(path: Path, said: Overrides) -> Scene:
    """Return the scene that plays a DXchange or NXtomo file.

    Raises
    ------
    ValueError
        The file cannot be read, or cannot be played as `stored_scene` says.
    """
    scan = read_scan_file(path)
    file = h5py.File(path, "r")

    def read(role: Role, number: int) -> npt.NDArray[Any]:
        dataset, place = scan.frames[role][number]
        frame: npt.NDArray[Any] = file[dataset][place]
        return frame.astype(scan.dtype, copy=False)

    return stored_scene(scan, read, said)


def _check_references(scan: StoredScan, said: Overrides) -> None:
    references = scan.counts.get("flat", 0) + scan.counts.get("dark", 0)
    if said.is_line_integral and references:
        raise ValueError(
            f"{scan.name} has {references} flats and darks: its frames are counts, leave --line-integrals out"
        )
    if not said.is_line_integral and not references:
        raise ValueError(
            f"{scan.name} has no flats and no darks: if it holds -log(transmission), add --line-integrals"
        )


def _thinned(scan: StoredScan, projection_count: int | None) -> tuple[Segment, ...]:
    """Keep ``projection_count`` projections, evenly spread in the order they were taken."""
    total = scan.counts["projection"]
    if projection_count is None:
        return scan.segments
    if projection_count > total:
        raise ValueError(f"{scan.name} has {total} projections; {projection_count} were asked for")
    kept = set((np.arange(projection_count) * total // projection_count).tolist())
    thinned, seen = [], 0
    for segment in scan.segments:
        angles = segment.angles_rad
        if segment.role == "projection":
            angles = tuple(angle for number, angle in enumerate(angles, seen) if number in kept)
            seen += len(segment)
        if angles:
            thinned.append(Segment(role=segment.role, angles_rad=angles))
    return tuple(thinned)
