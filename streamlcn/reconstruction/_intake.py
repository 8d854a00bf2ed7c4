"""What every backend does with one scan's frames before it makes a volume of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from streamlcn.errors import BadInput, ReconstructionFailed
from streamlcn.model import Frame, FrameKind, Reference, Scan
from streamlcn.progress import Progress, unheard
from streamlcn.reconstruction._centre import Centre, centre_rows, estimate_centre, quick_centre, snapped
from streamlcn.reconstruction._correction import Correction
from streamlcn.reconstruction._kept import KeptFrames
from streamlcn.reconstruction._region import Region
from streamlcn.reconstruction._weights import relative_weights
from streamlcn.reconstruction.settings import ReconstructionSettings

__all__ = ["MIN_PROJECTIONS", "Intake"]

MIN_PROJECTIONS = 3
FIRST_LIVE_ESTIMATE = 48


class Intake:
    """Frames of one scan, their line integrals and weights, and its centre of rotation.

    ``hint_px`` is where the centre may be before anything is known, such as that of the scan before.
    """

    def __init__(
        self,
        scan: Scan,
        reference: Reference,
        settings: ReconstructionSettings,
        threads: int,
        hint_px: float | None = None,
    ) -> None:
        self.scan, self.settings = scan, settings
        self._threads, self._hint = threads, hint_px
        self._shape = scan.detector_shape or (None if scan.is_line_integral else reference.flat.shape)
        if self._shape is not None and not scan.is_line_integral and reference.flat.shape != self._shape:
            raise ReconstructionFailed(
                f"scan {scan.uid}: the reference is {reference.flat.shape} pixels, the detector {self._shape}"
            )
        self._correction = self._make_correction(reference)
        known = settings.centre.value if settings.centre.value != "auto" else scan.centre_of_rotation
        self._is_known = self.is_final = known is not None
        self._centre = known
        self._stderr: float | None = None
        self._votes: dict[int, npt.NDArray[np.float32]] = {}
        self._next_estimate = FIRST_LIVE_ESTIMATE
        self._is_closed = False
        self.kept = KeptFrames(scan.uid, self._shape, scan.angles_rad)

    def put(self, projection: Frame) -> bool:
        """Keep a copy of one projection; False when the very same frame is here already."""
        where = f"scan {self.scan.uid}: "
        if self._is_closed:
            raise ReconstructionFailed(f"{where}projection {projection.index} came after finish()")
        if projection.kind is not FrameKind.PROJECTION:
            raise ReconstructionFailed(
                f"{where}frame {projection.index} is a {projection.kind.name.lower()}, "
                "only projections are added"
            )
        return self.kept.put(projection)

    def replace_reference(self, reference: Reference) -> None:
        """Correct with another reference from now on; what was made with the old one must be made again."""
        self._correction = self._make_correction(reference)
        self._votes.clear()

    def lines_of(self, index: int) -> Callable[[], npt.NDArray[np.float32]]:
        """Return a function that makes the line integrals (z, column) of a kept frame, in any thread."""

        def correct() -> npt.NDArray[np.float32]:
            lines = self._correction.line_integrals(self.kept.pixels(index), index)
            if not self.is_final:
                self._votes[index] = lines[centre_rows(len(lines))]
            return lines

        return correct

    def close(self) -> list[int]:
        """Take no more projections; return all indices in order. Raises for too few, or when called twice."""
        if self._is_closed:
            raise ReconstructionFailed(f"scan {self.scan.uid}: finish() was called twice")
        order = self.kept.indices()
        if len(order) < MIN_PROJECTIONS:
            raise ReconstructionFailed(
                f"scan {self.scan.uid}: {len(order)} projections are no tomography, "
                f"at least {MIN_PROJECTIONS} are needed"
            )
        self._is_closed = True
        return order

    def weights(self) -> dict[int, float]:
        """Return the relative weight of every kept projection."""
        return dict(zip(self.kept.indices(), relative_weights(self.kept.angles()), strict=True))

    @property
    def shape(self) -> tuple[int, int]:
        """(slices, columns) of the volume; raises before anything tells how large frames are."""
        return self._region().shape

    @property
    def centre(self) -> tuple[float, float | None, str]:
        """(pixels of the whole detector, standard error or None, 'provisional' | 'final')."""
        if self._centre is None:
            middle = (self.shape[1] - 1) / 2
            self._centre = self._region().outer(middle) if self._hint is None else self._hint
        return self._centre, self._stderr, "final" if self.is_final else "provisional"

    @property
    def inner_centre(self) -> float:
        """The centre in columns of the volume; raises when it lies outside."""
        centre = self.centre[0]
        inner = self._region().inner(centre)
        if not 0 <= inner <= self.shape[1] - 1:
            raise ReconstructionFailed(
                f"scan {self.scan.uid}: centre of rotation {centre} is not on the detector "
                f"of {self.shape[1]} columns"
            )
        return inner

    def estimate_live(self) -> bool:
        """Look for the centre once enough of the half turn is seen; True when it moved."""
        if self.is_final or len(self._votes) < self._next_estimate:
            return False
        order = sorted(self._votes)
        found = quick_centre(*self._voters(order))
        if found is None:
            self._next_estimate = len(order) + FIRST_LIVE_ESTIMATE // 2
            return False
        self._next_estimate = 4 * len(order)
        return self._use(found)

    def settle_centre(self, tell: Progress = unheard) -> bool:
        """Find the final centre from all projections; True when it moved."""
        if self._is_known:
            return False
        order = self.kept.indices()
        for count, index in enumerate(order, start=1):
            if index not in self._votes:
                self.lines_of(index)()
                tell(count / len(order))
        try:
            is_moved = self._use(self._estimate(order))
        except BadInput as error:
            raise ReconstructionFailed(f"scan {self.scan.uid}: {error}") from error
        self.is_final = True
        return is_moved

    def clear(self) -> None:
        """Forget all frames."""
        self.kept.clear()
        self._votes.clear()

    def _estimate(self, order: list[int]) -> Centre:
        return estimate_centre(*self._voters(order), self._threads)

    def _voters(self, order: list[int]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64]]:
        lines = np.stack([self._votes[i] for i in order])
        return lines, np.array([self.kept.angle(i) for i in order])

    def _use(self, found: Centre) -> bool:
        region, before = self._region(), self._centre
        self._centre = snapped(region.outer(found.pixels), self.settings.centre.tolerance_px)
        self._stderr = found.stderr_pixels * region.binning
        return self._centre != before

    def _make_correction(self, reference: Reference) -> Correction:
        scan = self.scan
        try:
            return Correction(
                self.settings.correction,
                None if scan.is_line_integral else reference,
                scan.phase_shift_rad,
                projection_count=scan.projection_count,
                detector_shape=self._shape,
                energy_kev=scan.energy_kev,
                pixel_um=scan.voxel_size_um,
            )
        except BadInput as error:
            raise ReconstructionFailed(f"scan {scan.uid}: {error}") from error

    def _region(self) -> Region:
        shape = self._shape or self.kept.shape
        if shape is None:
            raise ReconstructionFailed(f"scan {self.scan.uid}: no projection came yet, nothing to show")
        try:
            return self._correction.region(shape)
        except BadInput as error:
            raise ReconstructionFailed(f"scan {self.scan.uid}: {error}") from error
