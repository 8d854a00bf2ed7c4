"""One scan's way through the ports: frames in, a committed result out."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from streamlcn.errors import FailedScan, MissingReference
from streamlcn.model import (
    Completeness,
    Frame,
    FrameKind,
    FrameRef,
    FramesReady,
    Reference,
    ReferenceReady,
    Scan,
    ScanEnded,
)
from streamlcn.pipeline._conclude import Conclusion, conclude
from streamlcn.pipeline._frame_check import FrameCheck
from streamlcn.pipeline._metadata import opening_metadata
from streamlcn.pipeline._parts import Parts
from streamlcn.pipeline._watch import Watch
from streamlcn.ports import Reconstruction
from streamlcn.reconstruction import make_reference, neutral_reference
from streamlcn.shortage import Shortage

__all__ = ["ScanRun"]


class ScanRun:
    """The session of one scan: opened at its start, dropped at its end, never reset.

    Projections that come before the reference wait (as references, not as pixels where a file holds them).
    """

    def __init__(self, scan: Scan, parts: Parts) -> None:
        """Open the result; raises `StoreFailed` where the store cannot take it."""
        self.scan = scan
        self._parts = parts
        self._stack = ExitStack()
        self._session: Reconstruction | None = None
        self._waiting: list[FrameRef] = []
        self._used: set[int] = set()
        self._highest = -1
        self._last_projection_s: float | None = None
        self._watch = Watch(scan, parts)
        self._check = FrameCheck(parts.frames, parts.telemetry)
        binning = parts.profile.reconstruction.correction.binning
        self._binned = replace(scan, voxel_size_um=scan.voxel_size_um * binning)
        metadata = opening_metadata(self._binned, parts)
        with parts.telemetry.timed("write"):  # the server may be slow to answer
            result = parts.store.open(scan, parts.recipe.hash, metadata)
        self._result = self._stack.enter_context(result)
        self._watch.phase("acquiring", received=0)

    def close(self) -> None:
        """Free the reconstruction and leave the result; without a commit it counts as failed."""
        self._stack.close()

    def take_frames(self, update: FramesReady, arrived_s: float | None = None) -> None:
        """Use projections at once, or keep them until the reference is known."""
        projections = [ref for ref in update.refs if ref.kind is FrameKind.PROJECTION]
        if not projections:
            return
        self._last_projection_s = arrived_s
        self._parts.telemetry.count("frames_received", len(projections))
        self._waiting.extend(projections)
        self._highest = max(self._highest, *(ref.index for ref in projections))
        if self._session is not None:
            self._drain(self._session)
        else:
            self._parts.emit({"event": "stage", "stage": "correct", "queue": len(self._waiting)})
        received = len(self._used) + len(self._waiting)
        self._watch.phase("acquiring", received=received, missing=max(0, self._highest + 1 - received))

    def take_reference(self, update: ReferenceReady) -> None:
        """Average flats and darks and open the reconstruction; projections that waited go in now."""
        if self._session is not None:
            return
        self._parts.telemetry.count("frames_received", len(update.flats) + len(update.darks))
        with self._parts.telemetry.timed("correct"):
            reference = self._reference(update)
        session = self._parts.reconstructor.start(self.scan, reference)
        self._session = self._stack.enter_context(session)
        self._drain(self._session)
        self._parts.emit({"event": "stage", "stage": "correct", "queue": 0})

    def finish(self, ended: ScanEnded) -> None:
        """Reconstruct what remains, segment, measure, write and commit; raises a `FailedScan`."""
        session = self._session
        if session is None:
            raise MissingReference(self._why_no_reference(ended))
        completeness = replace(ended.completeness, projections_used=len(self._used))
        self._count_losses(completeness)
        status, warnings = self._verdict(ended, completeness)
        missing = len(completeness.missing) + self._check.set_aside
        self._watch.phase("reconstructing", received=len(self._used), missing=missing)
        conclude(
            Conclusion(
                scan=self._binned,
                parts=self._parts,
                watch=self._watch,
                session=session,
                result=self._result,
                status=status,
                completeness=completeness,
                warnings=warnings,
                last_projection_s=self._last_projection_s,
            )
        )

    def ran_short(self, shortage: Shortage) -> None:
        """Take note that memory ran out: operators are told, and the result says it."""
        self._watch.ran_short(shortage)

    def fail(self, reason: str) -> None:
        """Close the result as failed; what was written stays readable."""
        self._result.fail(reason, {"warnings": [reason, *self._watch.shortages]})
        self._watch.failed(reason)

    def _count_losses(self, completeness: Completeness) -> None:
        telemetry = self._parts.telemetry
        if completeness.missing:
            telemetry.count("frames_missing", len(completeness.missing), reason="gap")
        if completeness.duplicates:
            telemetry.count("frames_duplicate", completeness.duplicates)

    def _drain(self, session: Reconstruction) -> None:
        waiting, self._waiting = self._waiting, []
        for ref in waiting:
            self._parts.telemetry.beat("worker")  # a file may keep the reader waiting
            pixels = self._check.read_or_set_aside(ref)
            if pixels is None:
                continue
            with self._parts.telemetry.timed("reconstruct"):
                session.add(Frame(kind=ref.kind, index=ref.index, angle_rad=ref.angle_rad, pixels=pixels))
            self._used.add(ref.index)
        self._watch.maybe_preview(session, len(self._used))

    def _reference(self, update: ReferenceReady) -> Reference:
        if self.scan.is_line_integral:
            return neutral_reference((1, 1))
        reference = make_reference(self._stack_frames(update.flats), self._stack_frames(update.darks))
        self._check.know(reference)
        return reference

    def _stack_frames(self, refs: Sequence[FrameRef]) -> npt.NDArray[Any]:
        pixels = [self._check.read(ref) for ref in refs]
        shapes = {frame.shape for frame in pixels}
        if len(shapes) > 1:
            raise MissingReference(
                f"scan {self.scan.uid}: its reference frames have several shapes, {sorted(shapes)}; "
                "take flats and darks with the detector settings of the projections"
            )
        return np.stack(pixels) if pixels else np.empty((0, 0, 0), np.float32)

    def _verdict(self, ended: ScanEnded, completeness: Completeness) -> tuple[str, list[str]]:
        warnings = [*self.scan.assumptions, *ended.problems, *self._check.warnings()]
        if ended.outcome == "success" and completeness.is_complete and not self._check.set_aside:
            return "complete", warnings
        expected = completeness.projections_expected or len(self._used)
        share = len(self._used) / expected if expected else 0.0
        said = f"the run ended with {ended.outcome}" + (f" ({ended.reason})" if ended.reason else "")
        least = self._parts.profile.live.partial_from_fraction
        if share < least:
            raise FailedScan(
                f"scan {self.scan.uid}: {said} with {len(self._used)} of {expected} projections; the profile "
                f"asks for {least:.0%} at least (live.partial_from_fraction)"
            )
        return "partial", [*warnings, f"{said}; {len(self._used)} of {expected} projections were used"]

    def _why_no_reference(self, ended: ScanEnded) -> str:
        known = "; ".join(ended.problems)
        return known or (
            f"scan {self.scan.uid}: the run ended with {ended.outcome} and no reference was formed: were "
            "there flats and darks, and does the profile name their streams (documents.runs)?"
        )
