"""Packages that want all projections at once, behind the same port as our own streamed reconstruction."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt
import structlog

from streamlcn.errors import ReconstructionFailed
from streamlcn.model import Frame, FrameKind, Reference, Scan, Slab
from streamlcn.progress import Progress, part_of, unheard
from streamlcn.reconstruction._accumulator import usable_threads
from streamlcn.reconstruction._intake import Intake
from streamlcn.reconstruction._rings import stripe_of
from streamlcn.reconstruction._sanity import fbp_slice, inside_circle, require_agreement, require_values
from streamlcn.reconstruction.settings import AstraSettings, ReconstructionSettings, TomopySettings

__all__ = ["MakeSlices", "WholeBackend", "WholeReconstruction"]

_log = structlog.get_logger(__name__)

SLAB_BYTES = 1 << 29


class MakeSlices(Protocol):
    """Makes (row, y, x) in 1/pixel of weighted lines (index, row, column); raises `ReconstructionFailed`.

    Geometry, sign and units are ours; what lies outside the circle does not matter.
    """

    def __call__(
        self, lines: npt.NDArray[np.float32], angles_rad: npt.NDArray[np.float64], centre: float
    ) -> npt.NDArray[np.float32]: ...


class WholeBackend(Protocol):
    """A package that makes slices of whole sinograms."""

    description: str

    def open(self) -> AbstractContextManager[MakeSlices]:
        """Hold what one scan needs."""
        ...


class WholeReconstruction:
    """Session of one scan; see `streamlcn.ports.Reconstruction`.

    Frames are corrected when they come; the volume is made at the end, in slabs. Previews come from our own
    back-projection of the rows asked for. One slice of each slab is compared with ours, because packages
    have been seen to fail silently.
    """

    def __init__(
        self,
        scan: Scan,
        reference: Reference,
        settings: ReconstructionSettings,
        backend: WholeBackend,
        stand_in: ReconstructionSettings | None,
    ) -> None:
        assert isinstance(settings.method, AstraSettings | TomopySettings)
        self._scan, self._reference, self._settings = scan, reference, settings
        self._method = settings.method
        self._threads = usable_threads()
        self._backend, self._stand_in = backend, stand_in
        self._intake = Intake(scan, reference, settings, self._threads)
        self._lines: dict[int, npt.NDArray[np.float32]] = {}
        self.description = backend.description

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._intake.clear()
        self._lines.clear()

    @property
    def centre(self) -> tuple[float, float | None, str]:
        """(pixels, standard error or None, 'provisional' | 'final')."""
        return self._intake.centre

    def add(self, projection: Frame) -> None:
        """Take and correct one projection, in any order, each index once; raises `ReconstructionFailed`."""
        if self._intake.put(projection):
            self._lines[projection.index] = self._intake.lines_of(projection.index)()
            self._intake.kept.mark_taken(projection.index)

    def replace_reference(self, reference: Reference) -> None:
        """Use a better reference, such as one with flats taken after the scan."""
        self._reference = reference
        self._intake.replace_reference(reference)
        for index in self._lines:
            self._lines[index] = self._intake.lines_of(index)()

    def preview(self, z: int) -> npt.NDArray[np.float32]:
        """Return slice z (y, x) as far as it is known, scaled to the level of a whole scan."""
        rows, columns = self._intake.shape
        if not 0 <= z < rows:
            raise ReconstructionFailed(
                f"scan {self._scan.uid}: slice {z} is outside the volume, which has {rows} there"
            )
        self._intake.estimate_live()
        order = sorted(self._lines)
        if not order:
            return np.zeros((columns, columns), np.float32)
        return self._our_slice(z, order, np.ones(len(order)), np.zeros(columns, np.float32))

    def finish(self, tell: Progress = unheard) -> Iterator[Slab]:
        """Yield the whole volume as slabs in order of z, 0 upwards; raises `ReconstructionFailed`.

        ``tell`` is told the share of the work that is done, after each slab.
        """
        order = self._intake.close()
        self._intake.settle_centre(part_of(tell, 0, 0.1))
        tell(0.1)
        if self._stand_in is None:
            yield from self._slabs(order, part_of(tell, 0.1, 1))
            return
        try:
            slabs = list(self._slabs(order, part_of(tell, 0.1, 0.7)))
        except ReconstructionFailed as error:
            _log.warning("reconstruction_fell_back", scan=self._scan.uid, to="fbp", why=str(error))
            yield from self._slabs_of_ours(self._stand_in, str(error), part_of(tell, 0.7, 1))
        else:
            yield from slabs

    def _slabs(self, order: list[int], tell: Progress) -> Iterator[Slab]:
        weights = np.array([self._intake.weights()[i] for i in order])
        angles = np.array([self._intake.kept.angle(i) for i in order])
        rows, columns = self._intake.shape
        centre = self._intake.inner_centre
        stripe = self._stripe(order)
        relative = (weights * len(order) / weights.sum()).astype(np.float32)
        height = max(1, SLAB_BYTES // (12 * columns * len(order)))
        with self._backend.open() as make_slices:
            _log.info("reconstruction_started", scan=self._scan.uid, by=self.description)
            for first in range(0, rows, height):
                last = min(rows, first + height)
                lines = np.stack([self._lines[i][first:last] for i in order]) - stripe[first:last]
                z = int(np.argmax(lines.std(axis=(0, 2))))
                voxels = make_slices(lines * relative[:, None, None], angles, centre)
                require_values(voxels, f"scan {self._scan.uid}: {self.description}")
                ours = self._our_slice(first + z, order, weights, stripe[first + z])
                require_agreement(voxels[z], ours, f"scan {self._scan.uid}: {self.description}")
                voxels[:, ~inside_circle(columns)] = 0
                tell(last / rows)
                yield Slab(z_start=first, voxels=voxels)

    def _slabs_of_ours(self, settings: ReconstructionSettings, why: str, tell: Progress) -> Iterator[Slab]:
        from streamlcn.reconstruction._session import FbpReconstruction

        self._lines.clear()
        why = f"because {self._method.backend} failed: {why}"
        with FbpReconstruction(self._scan, self._reference, settings, is_whole=True, why=why) as session:
            self.description = session.description
            for index in self._intake.kept.indices():
                session.add(
                    Frame(
                        kind=FrameKind.PROJECTION,
                        index=index,
                        angle_rad=self._intake.kept.angle(index),
                        pixels=self._intake.kept.pixels(index),
                    )
                )
            yield from session.finish(tell)

    def _stripe(self, order: list[int]) -> npt.NDArray[np.float32]:
        if self._settings.correction.rings == "none":
            return np.zeros(self._intake.shape, np.float32)
        total = np.zeros(self._intake.shape)
        for index in order:
            total += self._lines[index]
        return stripe_of(total / len(order), self._settings.correction.ring_width_px)

    def _our_slice(
        self, z: int, order: list[int], weights: npt.NDArray[np.float64], stripe: npt.NDArray[np.float32]
    ) -> npt.NDArray[np.float32]:
        angles = np.array([self._intake.kept.angle(i) for i in order])
        lines = np.stack([self._lines[i][z] for i in order]) - stripe
        method = self._method
        centre = self._intake.inner_centre
        return fbp_slice(lines, angles, weights, centre, method.filter, method.padding, self._threads)
