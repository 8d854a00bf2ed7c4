"""A stored scan as the daemon would see it when its documents said the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from streamlcn.documents.settings import Values
from streamlcn.errors import BadInput
from streamlcn.files import FrameStack, ScanFile, open_scan_file
from streamlcn.frames import FrameSettings, make_frame_reader
from streamlcn.model import Frame, FrameKind, FrameRef, InlineSource, Reference, Scan
from streamlcn.ports import FrameReader
from streamlcn.reconstruction import make_reference, neutral_reference

if TYPE_CHECKING:
    from streamlcn.profile import Profile

__all__ = ["FileScan", "Said", "open_file_scan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a person says of a file: it goes before what the file says. None: nothing."""

    voxel_size_um: float | None = None
    phase_shift_rad: float | None = None
    is_line_integral: bool = False


class FileScan:
    """One scan in a file. ``scan`` describes it; frames are read by the reader that the daemon has.

    ``voxel_size_um`` is None where nobody says it: a volume in 1/pixel does not need it.
    """

    def __init__(self, source: ScanFile, said: Said, profile: Profile | None) -> None:
        self._source = source
        self._reader: FrameReader = make_frame_reader(profile.frames if profile else FrameSettings())
        values = profile.documents.values if profile else Values()
        self.assumptions: list[str] = []
        self._is_reference_early = profile is not None and profile.documents.references.flats == "before"
        self.voxel_size_um = self._first(
            "pixel_size_um",
            said.voxel_size_um,
            source.voxel_size_um,
            values.pixel_size_um.fallback,
        )
        count, rows, columns = source.projections.shape
        self.scan = Scan(
            uid=source.path.name,
            projection_count=count,
            detector_shape=(rows, columns),
            voxel_size_um=self.voxel_size_um or 1.0,
            angles_rad=tuple(source.angles_rad.tolist()),
            centre_of_rotation=self._first(
                "centre_of_rotation_px", None, None, values.centre_of_rotation_px.fallback
            ),
            energy_kev=source.energy_kev,
            phase_shift_rad=self._first(
                "phase_shift_rad",
                said.phase_shift_rad,
                source.phase_shift_rad,
                values.phase_shift_rad.fallback,
            ),
            is_line_integral=source.is_line_integral,
        )

    def __enter__(self) -> FileScan:
        return self

    def __exit__(self, *exc: object) -> None:
        self._reader.close()
        self._source.close()

    @property
    def path(self) -> Path:
        """Where the file is."""
        return self._source.path

    @property
    def format(self) -> str:
        """dxchange or nxtomo."""
        return self._source.format

    def reference(self) -> Reference:
        """Return the averaged flats and darks; of line integrals, one that changes nothing.

        Raises `MissingReference`.
        """
        if self.scan.is_line_integral:
            _, rows, columns = self._source.projections.shape
            return neutral_reference((rows, columns))
        return make_reference(self._reference_frames(FrameKind.FLAT), self._reference_frames(FrameKind.DARK))

    def projections(self) -> Iterator[Frame]:
        """Yield the projections in order of their index."""
        for ref in self.refs(FrameKind.PROJECTION):
            pixels = self._reader.read(ref)
            yield Frame(kind=ref.kind, index=ref.index, angle_rad=ref.angle_rad, pixels=pixels)

    def refs(self, kind: FrameKind) -> Iterator[FrameRef]:
        """Yield references to the frames of a kind that the daemon would have used, with their pixels."""
        stack = self._stack(kind)
        is_projection = kind is FrameKind.PROJECTION
        for index in range(len(stack) if is_projection else self._used(stack, kind)):
            angle = float(self._source.angles_rad[index]) if is_projection else None
            source = InlineSource(pixels=stack[index])
            yield FrameRef(scan_uid=self.scan.uid, kind=kind, index=index, angle_rad=angle, source=source)

    def _stack(self, kind: FrameKind) -> FrameStack:
        source = self._source
        match kind:
            case FrameKind.PROJECTION:
                return source.projections
            case FrameKind.FLAT:
                return source.flats
            case FrameKind.DARK:
                return source.darks

    def _used(self, stack: FrameStack, kind: FrameKind) -> int:
        """Return how many reference frames the daemon would have waited for."""
        projections = self._source.projections
        if not (self._is_reference_early and stack.dataset == projections.dataset):
            return len(stack)
        early = int(np.count_nonzero(stack.indices < projections.indices[0]))
        if early < len(stack):
            self.assumptions.append(
                f"{len(stack) - early} {kind.name.lower()}s were taken after the first projection and "
                "are left out, as the profile says (documents.references.flats: before)"
            )
        return early

    def _reference_frames(self, kind: FrameKind) -> npt.NDArray[Any]:
        frames = [self._reader.read(ref) for ref in self.refs(kind)]
        return np.stack(frames) if frames else np.empty((0, *self._stack(kind).shape[1:]), np.float32)

    def _first(
        self, name: str, said: float | None, stored: float | None, fallback: float | None
    ) -> float | None:
        if said is not None:
            return said
        if stored is None and fallback is not None:
            self.assumptions.append(f"{name} {fallback:g} is the profile's: the file does not say it")
        return fallback if stored is None else stored


def open_file_scan(path: str, said: Said, profile: Profile | None) -> FileScan:
    """Open a DXchange or NXtomo file.

    Raises `BadInput` for a file that is neither, or that holds counts although line integrals are said.
    """
    is_line_integral = said.is_line_integral
    if profile is not None:
        is_line_integral = is_line_integral or bool(profile.documents.values.is_line_integral.fallback)
    source = open_scan_file(path, is_line_integral=is_line_integral)
    if is_line_integral and (len(source.flats) or len(source.darks)):
        source.close()
        raise BadInput(
            f"{path} has {len(source.flats)} flats and {len(source.darks)} darks, so its frames are counts: "
            "leave --line-integrals out"
        )
    return FileScan(source, said, profile)
