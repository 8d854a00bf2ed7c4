"""What operators see of one scan, at a pace people can follow."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import structlog

from streamlcn.errors import SegmentationFailed
from streamlcn.model import Label, Scan
from streamlcn.pipeline._parts import Parts
from streamlcn.pipeline._preview import centre_slices, encode_labels, encode_png
from streamlcn.pipeline._view import blank_outside
from streamlcn.ports import KnowsPorosity, PorosityRange, Reconstruction, ShowsPlanes
from streamlcn.reconstruction import volume_shape
from streamlcn.shortage import Shortage

__all__ = ["Watch", "sure_of"]

_log = structlog.get_logger(__name__)

_SECONDS_BETWEEN_COUNTS = 0.1
_PLANES = ("xy", "xz", "yz")


class Watch:
    """Emits phases, counts, previews and provisional numbers of one scan. It never changes a result."""

    def __init__(self, scan: Scan, parts: Parts) -> None:
        self._scan = scan
        self._parts = parts
        self._phase = ""
        self._said_s = -math.inf
        self._received = self._missing = 0
        self.shortages: list[str] = []
        live = parts.profile.live
        planned = scan.projection_count or 0
        self._slice_step = max(1, round(planned * live.preview_share)) if planned else 50
        self._label_step = max(1, round(planned * live.provisional_share)) if planned else 250
        self._next_slice = self._slice_step
        self._next_labels = self._label_step

    def phase(self, phase: str, *, received: int | None = None, missing: int | None = None) -> None:
        """Say where the scan is; repeated counts within a tenth of a second are kept back.

        ``received`` and ``missing`` (projections) stay as they were unless given.
        """
        now = self._parts.clock()
        self._received = self._received if received is None else received
        self._missing = self._missing if missing is None else missing
        planned = self._scan.projection_count
        is_news = phase != self._phase or received in (planned, 0)
        if not is_news and now - self._said_s < _SECONDS_BETWEEN_COUNTS:
            return
        self._phase, self._said_s = phase, now
        self._parts.emit(
            {
                "event": "scan",
                "uid": self._scan.uid,
                "phase": phase,
                "received": self._received,
                "expected": planned,
                "missing": self._missing,
                "started_s": self._scan.started_s,
                "sample": self._scan.plan.get("sample_name"),
                "plan": self._scan.plan.get("plan_name"),
            }
        )

    def failed(self, reason: str) -> None:
        """Say that the scan failed and why."""
        self.phase("failed")
        self.warn(reason, level="error", runbook="scan-failed")

    def warn(self, text: str, *, level: str = "warning", runbook: str = "scan-partial") -> None:
        """Put one line where operators look."""
        self._parts.emit(
            {"event": "warning", "level": level, "text": text, "runbook": runbook, "uid": self._scan.uid}
        )

    def ran_short(self, shortage: Shortage) -> None:
        """Say once that memory or workers ran out, and what was done; ``shortages`` has it for the result."""
        if shortage.text not in self.shortages:
            self.shortages.append(shortage.text)
            self.warn(shortage.text, runbook=shortage.runbook)

    def maybe_preview(self, session: Reconstruction, used: int) -> None:
        """Show slices, and more rarely labels and a provisional porosity, when enough is new."""
        self._say_centre(session)
        if used == self._scan.projection_count:
            return  # the whole volume comes next
        if used >= self._next_labels:
            self._next_labels = used + self._label_step
            self._next_slice = used + self._slice_step
            self._provisional_labels(session, used)
        elif used >= self._next_slice:
            self._next_slice = used + self._slice_step
            self._slices(session, used)

    def show(self, volume: npt.NDArray[np.float32], labels: npt.NDArray[np.uint8] | None) -> None:
        """Show the three centre slices of the finished volume, or of its labels."""
        for plane, picture in centre_slices(volume if labels is None else labels).items():
            kind = "reconstruction" if labels is None else "labels"
            self._picture(plane, kind, picture, received=self._received, provisional=False)

    def numbers(
        self, values: dict[str, Any], *, provisional: bool, within: tuple[float, float] | None = None
    ) -> None:
        """Say morphometry, provisional or final; ``within`` is how far the porosity can be believed."""
        low, high = within or (None, None)
        self._parts.emit(
            {
                "event": "morphometry",
                "provisional": provisional,
                "values": values,
                "porosity_low": low,
                "porosity_high": high,
            }
        )

    def say_centre(self, session: Reconstruction) -> None:
        """Say the centre of rotation as it stands."""
        pixels, stderr, state = session.centre
        self._parts.emit({"event": "centre", "pixels": pixels, "stderr_pixels": stderr, "state": state})

    @property
    def _depth(self) -> int:
        if self._scan.detector_shape is None:
            return 1
        return volume_shape(self._parts.profile.reconstruction, self._scan.detector_shape)[0]

    def _say_centre(self, session: Reconstruction) -> None:
        if self._parts.clock() - self._said_s >= _SECONDS_BETWEEN_COUNTS:
            self.say_centre(session)

    def _slices(self, session: Reconstruction, used: int) -> None:
        """Show what there is of the three middle planes; of the xy plane alone where no more is offered."""
        middle = self._depth // 2
        with self._parts.telemetry.timed("reconstruct"):
            planes: tuple[npt.NDArray[np.float32], ...] = (
                session.preview_slices() if isinstance(session, ShowsPlanes) else (session.preview(middle),)
            )
        for plane, grey in zip(_PLANES, planes, strict=False):
            self._picture(plane, "reconstruction", grey, received=used, provisional=True)

    def _provisional_labels(self, session: Reconstruction, used: int) -> None:
        self._slices(session, used)
        half = self._parts.profile.live.provisional_slices // 2
        middle = self._depth // 2
        low, high = max(0, middle - half), min(self._depth, middle + half)
        with self._parts.telemetry.timed("segment"):
            thin = np.stack([session.preview(z) for z in range(low, high)])
            try:
                masks = self._parts.segmenter.segment(thin)
                labels = np.concatenate([mask.classes for mask in masks])
            except SegmentationFailed as error:  # too little is projected yet: the whole volume decides
                _log.debug("no_provisional_labels", reason=str(error))
                return
        blank_outside(labels)
        whole = np.zeros((self._depth, *labels.shape[1:]), np.uint8)  # nothing is known above and below
        whole[low:high] = labels
        for plane, picture in centre_slices(whole).items():
            self._picture(plane, "labels", picture, received=used, provisional=True)
        shares = [_porosity(slice_) for slice_ in labels]
        share = _porosity(labels)
        if share is not None:
            sure = sure_of(masks)
            within = (sure.low, sure.high) if sure is not None else _range(shares)
            self.numbers({"lcn": {"porosity": share}, "projections": used}, provisional=True, within=within)

    def _picture(
        self, plane: str, kind: str, picture: npt.NDArray[Any], *, received: int, provisional: bool
    ) -> None:
        self._parts.emit(
            {
                "event": "preview",
                "plane": plane,
                "kind": kind,
                "png": encode_png(picture) if kind == "reconstruction" else encode_labels(picture),
                "provisional": provisional,
                "z": self._depth // 2 if plane == "xy" else None,
                "received": received,
            }
        )


def sure_of(masks: object) -> PorosityRange | None:
    """Return the porosity as the network's probabilities give it; None where nobody can tell."""
    return masks.porosity if isinstance(masks, KnowsPorosity) else None


def _range(shares: list[float | None]) -> tuple[float, float] | None:
    """Return the least and the largest porosity among slices: how far they agree."""
    known = [share for share in shares if share is not None]
    return (min(known), max(known)) if known else None


def _porosity(labels: npt.NDArray[np.uint8]) -> float | None:
    """Return LCN over tissue; None without tissue."""
    counts = np.bincount(labels.ravel(), minlength=4)
    tissue = int(counts[[Label.BONE, Label.LCN, Label.SHADE_OFF]].sum())
    return float(counts[Label.LCN] / tissue) if tissue else None
