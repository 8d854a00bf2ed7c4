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
from streamlcn.model import Frame, Reference, Scan, Slab
from streamlcn.progress import Progress, part_of, unheard
from streamlcn.reconstruction._accumulator import Projected, usable_threads
from streamlcn.reconstruction._devices import device_of, with_kernel
from streamlcn.reconstruction._intake import Intake
from streamlcn.reconstruction._rings import stripe_of
from streamlcn.reconstruction._volumes import PlacedAccumulator, Volumes, VolumesHere
from streamlcn.reconstruction.settings import FbpSettings, ReconstructionSettings

__all__ = ["FbpReconstruction"]


class FbpReconstruction:
    """Session of one scan; see `streamlcn.ports.Reconstruction`.

    Leaving the context frees volume, frames and threads. ``is_whole`` says that all projections come at once,
    so that an unknown centre is found before anything is back-projected. ``hint_px`` is a likely centre, and
    ``on_final`` is told the final one when it was found. ``why`` says why this backend stands in for another,
    ``volumes`` where the volume grows.
    """

    def __init__(
        self,
        scan: Scan,
        reference: Reference,
        settings: ReconstructionSettings,
        *,
        is_whole: bool = False,
        hint_px: float | None = None,
        on_final: Callable[[float], None] | None = None,
        why: str = "",
        volumes: Volumes | None = None,
    ) -> None:
        assert isinstance(settings.method, FbpSettings)
        self._scan, self._settings, self._method = scan, settings, settings.method
        self._threads = self._method.threads or usable_threads()
        try:
            self._device = self._wanted = device_of(self._method)
        except BadInput as error:
            raise ReconstructionFailed(f"scan {scan.uid}: {error}") from error
        self._intake = Intake(scan, reference, settings, self._threads, hint_px)
        self._is_whole, self._on_final, self._why = is_whole, on_final, why
        self._volumes = volumes or VolumesHere()
        self._accumulator: PlacedAccumulator | None = None
        self._done: list[int] = []  # indices in the volume, in their sequence

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._drop_volume()
        self._volumes.close()
        self._intake.clear()

    @property
    def centre(self) -> tuple[float, float | None, str]:
        """(pixels, standard error or None, 'provisional' | 'final').

        Raises `ReconstructionFailed` before anything tells how wide the detector is.
        """
        return self._intake.centre

    @property
    def description(self) -> str:
        """What makes this volume, where, and why if something else was asked for."""
        now = self._accumulator.device if self._accumulator is not None else self._device
        moved = "" if now == self._wanted else f", because {self._wanted} ran out of memory"
        return f"{self._method.description} on {self._volumes.where or with_kernel(now) + moved}" + (
            f", {self._why}" if self._why else ""
        )

    def add(self, projection: Frame) -> None:
        """Take one projection, (row, column) counts, in any order, each index once.

        The frame is copied. The very same frame again is ignored; other pixels under a known index, a wrong
        shape, a value that is not finite or a missing angle raise `ReconstructionFailed`.
        """
        if not self._intake.put(projection) or self._is_whole:
            return
        ready = self._intake.kept.ready(self._method.reorder_window)
        if len(ready) >= self._method.batch:
            self._take(ready)
            if self._intake.estimate_live():
                self._make_again(list(self._done))

    def replace_reference(self, reference: Reference) -> None:
        """Use a better reference, such as one with flats taken after the scan: the volume is made again."""
        self._intake.replace_reference(reference)
        self._done = []

    def preview(self, z: int) -> npt.NDArray[np.float32]:
        """Return slice z (y, x) float32 in 1/pixel as far as it is known, at the level of a whole scan."""
        return self._plane(0, z)

    def preview_slices(
        self,
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Return the three middle planes (y, x), (z, x) and (z, y) of the volume so far, as `preview`."""
        rows, columns = self._intake.shape
        return self._plane(0, rows // 2), self._plane(1, columns // 2), self._plane(2, columns // 2)

    def finish(self, tell: Progress = unheard) -> Iterator[Slab]:
        """Yield the whole volume, (z, y, x) float32 in 1/pixel, as slabs in order of z.

        The same projections give the same bits, whatever their order. ``tell`` is told the share of the work
        that is done, at least after each batch of projections. Raises `ReconstructionFailed` for fewer than
        3 projections, or when the centre cannot be found.
        """
        order = self._intake.close()
        if not self._is_whole:
            self._take(self._intake.kept.waiting(), part_of(tell, 0, 0.05))
        if self._intake.settle_centre(part_of(tell, 0.05, 0.15)):
            self._drop_volume()
        tell(0.2)
        if self._on_final is not None:
            self._on_final(self.centre[0])
        if self._done != order:
            self._make_again(order, part_of(tell, 0.2, 0.6))
        weights = self._intake.weights()
        self._correct_weights(weights, part_of(tell, 0.6, 0.65))
        if self._settings.correction.rings == "mean":
            self._subtract_rings(weights, part_of(tell, 0.65, 0.9))
        accumulator = self._ready_accumulator()
        scale = np.pi / sum(weights.values())
        rows, _ = self._intake.shape
        height = accumulator.slab_rows
        if accumulator.device == "cpu" and self._volumes.where is None:
            self._intake.clear()  # the volume cannot move any more, and slabs need memory
        for first in range(0, rows, height):
            last = min(rows, first + height)
            slab = Slab(z_start=first, voxels=accumulator.slab(first, last, scale))
            tell(0.9 + 0.1 * last / rows)
            yield slab

    def _take(self, indices: list[int], tell: Progress = unheard) -> None:
        """Correct, filter and back-project kept frames of these indices, in this order."""
        self._project([(index, self._intake.lines_of(index), 1.0) for index in indices], tell)
        for index in indices:
            self._intake.kept.mark_taken(index)
        self._done += indices

    def _project(
        self, work: list[tuple[int, Callable[[], npt.NDArray[np.float32]], float]], tell: Progress
    ) -> None:
        angle = self._intake.kept.angle
        for first in range(0, len(work), self._method.batch):
            part = work[first : first + self._method.batch]
            self._ready_accumulator().add([Projected(lines, angle(i), weight) for i, lines, weight in part])
            tell((first + len(part)) / len(work))

    def _make_again(self, order: list[int], tell: Progress = unheard) -> None:
        """Make the volume again, from these projections in this order."""
        self._drop_volume()
        self._take(order, tell)

    def _drop_volume(self) -> None:
        self._done = []
        if self._accumulator is not None:
            self._device = self._accumulator.device  # a device that was full is not tried again
            self._accumulator.close()
        self._accumulator = None

    def _correct_weights(self, weights: dict[int, float], tell: Progress) -> None:
        """Add what a projection's weight differs from one."""
        self._project([(i, self._intake.lines_of(i), w - 1) for i, w in weights.items() if w != 1], tell)

    def _subtract_rings(self, weights: dict[int, float], tell: Progress) -> None:
        """Subtract the back-projection of the stripes, which is that of the stripe-free lines."""
        total = np.zeros(self._intake.shape)
        for count, index in enumerate(weights, start=1):
            total += self._intake.lines_of(index)()
            tell(0.3 * count / len(weights))
        stripe = stripe_of(total / len(weights), self._settings.correction.ring_width_px)
        self._project([(i, lambda: stripe, -w) for i, w in weights.items()], part_of(tell, 0.3, 1))

    def _ready_accumulator(self) -> PlacedAccumulator:
        if self._accumulator is None:
            self._accumulator = self._volumes.open(
                self._method, self._device, self._intake.shape, self._intake.inner_centre, self._threads
            )
        return self._accumulator

    def _plane(self, axis: int, index: int) -> npt.NDArray[np.float32]:
        limit = self._intake.shape[0 if axis == 0 else 1]
        if not 0 <= index < limit:
            raise ReconstructionFailed(
                f"scan {self._scan.uid}: slice {index} is outside the volume, which has {limit} there"
            )
        self._take(self._intake.kept.ready(self._method.reorder_window))
        accumulator = self._ready_accumulator()
        return accumulator.plane(axis, index, np.pi / max(len(self._done), 1))
