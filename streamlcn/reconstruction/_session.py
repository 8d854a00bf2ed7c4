"""Streamed filtered back-projection of one scan.

The law behind every method here: a volume is a function of the set of projections, whatever their order.
So projections enter the volume in order of their index, each voxel adding them one after the other with
weight one; what only the whole set can tell (weights of ends and of neighbours of lost projections, rings)
is added at the end as further projections. Where the order could not be kept, or the final centre differs
from the provisional one, the volume is made again from the frames as they came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Self

import numpy as np
import numpy.typing as npt

from streamlcn.errors import BadInput, ReconstructionFailed
from streamlcn.model import Frame, FrameKind, Reference, Scan, Slab
from streamlcn.reconstruction._accumulator import Accumulator, Projected, usable_threads
from streamlcn.reconstruction._centre import Centre, centre_rows, estimate_centre, snapped
from streamlcn.reconstruction._correction import Correction
from streamlcn.reconstruction._devices import chosen_device, make_accumulator
from streamlcn.reconstruction._kept import KeptFrames
from streamlcn.reconstruction._rings import stripe_of
from streamlcn.reconstruction._weights import relative_weights
from streamlcn.reconstruction.settings import FbpSettings, ReconstructionSettings

__all__ = ["MIN_PROJECTIONS", "FbpReconstruction"]

MIN_PROJECTIONS = 3


class FbpReconstruction:
    """Session of one scan; see `streamlcn.ports.Reconstruction`.

    Leaving the context frees volume, frames and threads. ``is_whole`` says that all projections come at once,
    so that an unknown centre is found before anything is back-projected.
    """

    def __init__(
        self, scan: Scan, reference: Reference, settings: ReconstructionSettings, *, is_whole: bool = False
    ) -> None:
        assert isinstance(settings.method, FbpSettings)
        self._scan, self._settings, self._method = scan, settings, settings.method
        self._threads = self._method.threads or usable_threads()
        try:
            self._device = chosen_device(self._method.device)
            self._correction = Correction(
                settings.correction, None if scan.is_line_integral else reference, scan.phase_shift_rad
            )
        except BadInput as error:
            raise ReconstructionFailed(f"scan {scan.uid}: {error}") from error
        known = settings.centre.value if settings.centre.value != "auto" else scan.centre_of_rotation
        self._is_centre_known = known is not None
        self._centre = known
        self._stderr: float | None = None
        self._is_final = self._is_centre_known
        self._is_whole = is_whole
        self._shape = scan.detector_shape or (None if scan.is_line_integral else reference.flat.shape)
        if self._shape is not None and not scan.is_line_integral and reference.flat.shape != self._shape:
            raise ReconstructionFailed(
                f"scan {scan.uid}: the reference is {reference.flat.shape} pixels, the detector {self._shape}"
            )
        self._kept = KeptFrames(scan.uid, self._shape, scan.angles_rad)
        self._votes: dict[int, npt.NDArray[np.float32]] = {}
        self._accumulator: Accumulator | None = None
        self._done: list[int] = []  # indices in the volume, in their sequence
        self._is_finished = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._accumulator is not None:
            self._accumulator.close()
        self._accumulator = None
        self._kept.clear()
        self._votes.clear()

    @property
    def centre(self) -> tuple[float, float | None, str]:
        """(pixels, standard error or None, 'provisional' | 'final').

        Raises `ReconstructionFailed` before anything tells how wide the detector is.
        """
        if self._centre is None:
            self._centre = (self._columns() - 1) / 2
        return self._centre, self._stderr, "final" if self._is_final else "provisional"

    def add(self, projection: Frame) -> None:
        """Take one projection, (row, column) counts, in any order, each index once.

        The frame is copied. The very same frame again is ignored; other pixels under a known index, a wrong
        shape, a value that is not finite or a missing angle raise `ReconstructionFailed`.
        """
        if self._is_finished:
            raise ReconstructionFailed(
                f"scan {self._scan.uid}: projection {projection.index} came after finish()"
            )
        if projection.kind is not FrameKind.PROJECTION:
            raise ReconstructionFailed(
                f"scan {self._scan.uid}: frame {projection.index} is a {projection.kind.name.lower()}, "
                "only projections are added"
            )
        if not self._kept.put(projection) or self._is_whole:
            return
        ready = self._kept.ready(self._method.reorder_window)
        if len(ready) >= self._method.batch:
            self._take(ready)

    def preview(self, z: int) -> npt.NDArray[np.float32]:
        """Return slice z (y, x) float32 in 1/pixel as far as it is known, at the level of a whole scan."""
        return self._plane(0, z)

    def preview_slices(
        self,
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Return the three middle planes (y, x), (z, x) and (z, y) of the volume so far, as `preview`."""
        rows, columns = self._detector()
        return self._plane(0, rows // 2), self._plane(1, columns // 2), self._plane(2, columns // 2)

    def finish(self) -> Iterator[Slab]:
        """Yield the whole volume, (z, y, x) float32 in 1/pixel, as slabs in order of z.

        The same projections give the same bits, whatever their order. Raises `ReconstructionFailed` for
        fewer than 3 projections, or when the centre cannot be found.
        """
        self._require_enough()
        self._is_finished = True
        if not self._is_whole:
            self._take(self._kept.waiting())
        self._settle_centre()
        weights = dict(zip(self._kept.indices(), relative_weights(self._kept.angles()), strict=True))
        if self._done != self._kept.indices():
            self._start_again()
        self._correct_weights(weights)
        if self._settings.correction.rings == "mean":
            self._subtract_rings(weights)
        accumulator = self._ready_accumulator()
        scale = np.pi / sum(weights.values())
        rows, _ = self._detector()
        for first in range(0, rows, accumulator.slab_rows):
            last = min(rows, first + accumulator.slab_rows)
            yield Slab(z_start=first, voxels=accumulator.slab(first, last, scale))

    def _take(self, indices: list[int]) -> None:
        """Correct, filter and back-project kept frames of these indices, in this order."""
        self._project([(index, self._lines_of(index), 1.0) for index in indices])
        for index in indices:
            self._kept.mark_taken(index)
        self._done += indices

    def _lines_of(self, index: int) -> Callable[[], npt.NDArray[np.float32]]:
        def correct() -> npt.NDArray[np.float32]:
            lines = self._correction.line_integrals(self._kept.pixels(index))
            if not self._is_final:
                self._votes[index] = lines[centre_rows(len(lines))]
            return lines

        return correct

    def _project(self, work: list[tuple[int, Callable[[], npt.NDArray[np.float32]], float]]) -> None:
        if work:
            projections = [Projected(lines, self._kept.angle(index), weight) for index, lines, weight in work]
            self._ready_accumulator().add(projections)

    def _settle_centre(self) -> None:
        """Find the final centre from all projections."""
        if self._is_centre_known:
            return
        order = self._kept.indices()
        for index in order:
            if index not in self._votes:
                self._lines_of(index)()
        try:
            found = estimate_centre(
                np.stack([self._votes[i] for i in order]), self._kept.angles(), self._threads
            )
        except BadInput as error:
            raise ReconstructionFailed(f"scan {self._scan.uid}: {error}") from error
        self._use_centre(found)
        self._is_final = True

    def _use_centre(self, found: Centre) -> None:
        """Take a found centre; a volume made with another one is dropped."""
        pixels = snapped(found.pixels, self._settings.centre.tolerance_px)
        self._stderr = found.stderr_pixels
        if pixels != self._centre:
            self._centre = pixels
            self._done = []
            if self._accumulator is not None:
                self._accumulator.close()
                self._accumulator = None

    def _start_again(self) -> None:
        """Make the volume again, in order of index."""
        self._done = []
        self._ready_accumulator().clear()
        self._take(self._kept.indices())

    def _correct_weights(self, weights: dict[int, float]) -> None:
        """Add what a projection's weight differs from one."""
        self._project([(i, self._lines_of(i), w - 1) for i, w in weights.items() if w != 1])

    def _subtract_rings(self, weights: dict[int, float]) -> None:
        """Subtract the back-projection of the stripes, which is that of the stripe-free lines."""
        total = np.zeros(self._detector())
        for index in weights:
            total += self._lines_of(index)()
        stripe = stripe_of(total / len(weights), self._settings.correction.ring_width_px)
        self._project([(i, lambda: stripe, -w) for i, w in weights.items()])

    def _ready_accumulator(self) -> Accumulator:
        if self._accumulator is None:
            rows, columns = self._detector()
            centre = self.centre[0]
            if not 0 <= centre <= columns - 1:
                raise ReconstructionFailed(
                    f"scan {self._scan.uid}: centre of rotation {centre} is not on the detector "
                    f"of {columns} columns"
                )
            self._accumulator = make_accumulator(
                self._method, self._device, (rows, columns), centre, self._threads
            )
        return self._accumulator

    def _plane(self, axis: int, index: int) -> npt.NDArray[np.float32]:
        limit = self._detector()[0 if axis == 0 else 1]
        if not 0 <= index < limit:
            raise ReconstructionFailed(
                f"scan {self._scan.uid}: slice {index} is outside the volume, which has {limit} there"
            )
        self._take(self._kept.ready(self._method.reorder_window))
        accumulator = self._ready_accumulator()
        return accumulator.plane(axis, index, np.pi / max(len(self._done), 1))

    def _require_enough(self) -> None:
        if self._is_finished:
            raise ReconstructionFailed(f"scan {self._scan.uid}: finish() was called twice")
        count = len(self._kept.indices())
        if count < MIN_PROJECTIONS:
            raise ReconstructionFailed(
                f"scan {self._scan.uid}: {count} projections are no tomography, "
                f"at least {MIN_PROJECTIONS} are needed"
            )

    def _detector(self) -> tuple[int, int]:
        shape = self._shape or self._kept.shape
        if shape is None:
            raise ReconstructionFailed(f"scan {self._scan.uid}: no projection came yet, nothing to show")
        return shape

    def _columns(self) -> int:
        return self._detector()[1]
