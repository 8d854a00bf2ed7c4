"""The protocols between the floors. A room implements them; nobody inherits from a neighbour.

Providers (`Reconstructor`, `ResultStore`) live long and hold no scan; each opens one session per scan, a
context manager that is dropped, never reset.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from streamlcn.model import Frame, FrameRef, Mask, Pixels, Reference, Scan, Slab
from streamlcn.progress import Progress, unheard

__all__ = [
    "DocumentSource",
    "FrameReader",
    "KnowsPorosity",
    "PorosityRange",
    "Reconstruction",
    "Reconstructor",
    "ResultStore",
    "ScanResult",
    "Segmenter",
    "ShowsPlanes",
    "Telemetry",
]


class DocumentSource(Protocol):
    """Somewhere documents come from."""

    def receive(self, timeout_s: float) -> tuple[str, dict[str, Any]] | None:
        """Return the next (name, document), or None when none came within ``timeout_s``.

        Never raises for a bad document: it counts and skips it.
        """
        ...

    def close(self) -> None:
        """Release sockets and files; may be called twice."""
        ...


class FrameReader(Protocol):
    """Turns references into pixels."""

    def read(self, ref: FrameRef) -> Pixels:
        """Return (row, column) uint16 or float32.

        Waits for data that the detector has announced but not flushed; raises `UnreadableFrame`.
        """
        ...

    def close(self) -> None:
        """Close every file; may be called twice."""
        ...


class Reconstruction(Protocol):
    """One scan's reconstruction. Leaving the context frees its memory."""

    def __enter__(self) -> Reconstruction: ...

    def __exit__(self, *exc: object) -> None: ...

    def add(self, projection: Frame) -> None:
        """Take one projection, in any order, each index once.

        Corrected, filtered and back-projected as soon as it is useful.
        """
        ...

    def preview(self, z: int) -> npt.NDArray[np.float32]:
        """Return slice z (y, x) as far as it is known, scaled to the level of a whole scan."""
        ...

    def finish(self, tell: Progress = unheard) -> Iterator[Slab]:
        """Yield the whole volume as slabs in order of z, 0 upwards.

        The same projections give the same bits, whatever their order. ``tell`` is told the share of the work
        that is done, between slabs too.
        """
        ...

    @property
    def description(self) -> str:
        """What ran, and why where that is not what the profile names; results record it."""
        ...

    @property
    def centre(self) -> tuple[float, float | None, str]:
        """(pixels, standard error or None, 'provisional' | 'final')."""
        ...


@runtime_checkable
class ShowsPlanes(Protocol):
    """A `Reconstruction` that can also be cut across its slices while it grows. Optional."""

    def preview_slices(
        self,
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Return the three middle planes (y, x), (z, x) and (z, y) as far as they are known."""
        ...


class Reconstructor(Protocol):
    """Opens reconstructions. Holds no scan itself."""

    name: str

    def start(self, scan: Scan, reference: Reference) -> Reconstruction:
        """Open the reconstruction of one scan; raises `ReconstructionFailed`."""
        ...


class Segmenter(Protocol):
    """A network, or what stands in for one."""

    @property
    def description(self) -> Mapping[str, Any]:
        """Name, sha256 and classes of the model, as they go into a result's metadata."""
        ...

    def segment(self, volume: npt.NDArray[np.float32]) -> Iterator[Mask]:
        """Yield the labels of ``volume`` (z, y, x) in slabs, z upwards.

        Bounded memory beside the volume itself. Raises `SegmentationFailed`.
        """
        ...

    def ood(self, volume: npt.NDArray[np.float32], tell: Progress = unheard) -> tuple[float | None, bool]:
        """Return how unlike the training data ``volume`` is, and whether that is too much.

        (None, False) where nobody can tell. ``tell`` is told the share of the work that is done.
        """
        ...


class PorosityRange(Protocol):
    """Porosity as a network's probabilities give it, and how far off it was on known bones at most."""

    @property
    def expected(self) -> float: ...

    @property
    def low(self) -> float: ...

    @property
    def high(self) -> float: ...


@runtime_checkable
class KnowsPorosity(Protocol):
    """What a `Segmenter.segment` may return: once it is used up, it can say how sure it was. Optional."""

    @property
    def porosity(self) -> PorosityRange | None:
        """The range; None where nobody can tell."""
        ...


class ScanResult(Protocol):
    """One result being written. Only `commit` makes it good; leaving without it marks it failed."""

    @property
    def uri(self) -> str | None:
        """Where a reader will find the result, if that is known already."""
        ...

    def __enter__(self) -> ScanResult: ...

    def __exit__(self, *exc: object) -> None: ...

    def create_array(
        self, key: str, shape: tuple[int, ...], dtype: npt.DTypeLike, metadata: Mapping[str, Any]
    ) -> None:
        """Announce an array of the result (``reconstruction``, ``labels``, ...), chunked along axis 0."""
        ...

    def write_array(self, key: str, z_start: int, block: npt.NDArray[Any]) -> None:
        """Write ``block`` at ``z_start`` along the first axis of an announced array.

        Idempotent, any order.
        """
        ...

    def write_table(self, key: str, columns: Mapping[str, npt.NDArray[Any]]) -> None:
        """Write a table whole (``lacunae``, ``thickness_histogram``)."""
        ...

    def update(self, metadata: Mapping[str, Any]) -> None:
        """Merge scalars into the result's metadata (progress, provisional numbers). Losing one is no harm."""
        ...

    def commit(self, status: str, metadata: Mapping[str, Any]) -> None:
        """Say success: ``status`` is complete or partial, ``metadata`` is final."""
        ...

    def fail(self, reason: str, metadata: Mapping[str, Any]) -> None:
        """Say failure with its reason; what was written stays readable."""
        ...


class ResultStore(Protocol):
    """Where results go."""

    def open(self, scan: Scan, recipe_hash: str, metadata: Mapping[str, Any]) -> ScanResult:
        """Open the result of one scan under one recipe, idempotently: the same pair again replaces or
        adopts what is there.
        """
        ...

    def close(self) -> None:
        """Flush and release; may be called twice."""
        ...


class Telemetry(Protocol):
    """Counts, levels and durations; never raises, never blocks."""

    def timed(self, stage: str) -> AbstractContextManager[None]:
        """Time a stage and beat its heart at both ends."""
        ...

    def beat(self, stage: str, share: float | None = None) -> None:
        """Say that a stage, or the worker's loop, is alive; ``share`` of the work is done (0 to 1)."""
        ...

    def count(self, what: str, amount: float = 1, **labels: str) -> None:
        """Add to a counter."""
        ...

    def level(self, what: str, value: float, **labels: str) -> None:
        """Set a gauge."""
        ...


Clock = Callable[[], float]
"""Seconds that only grow, passed in so that tests own the time."""
