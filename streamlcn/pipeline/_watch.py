"""What operators see of one scan, at a pace people can follow."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from streamlcn.model import Label, Scan
from streamlcn.pipeline._parts import Parts
from streamlcn.pipeline._preview import centre_slices, encode_png
from streamlcn.pipeline._view import blank_outside
from streamlcn.ports import Reconstruction

__all__ = ["Watch"]

_SECONDS_BETWEEN_COUNTS = 0.1


class Watch:
    """Emits phases, counts, previews and provisional numbers of one scan. It never changes a result."""

    def __init__(self, scan: Scan, parts: Parts) -> None:
        self._scan = scan
        self._parts = parts
        self._phase = ""
        self._said_s = -math.inf
        self._received = 0
        live = parts.profile.live
        planned = scan.projection_count or 0
        self._slice_step = max(1, round(planned * live.preview_share)) if planned else 50
        self._label_step = max(1, round(planned * live.provisional_share)) if planned else 250
        self._next_slice = self._slice_step
        self._next_labels = self._label_step

    def phase(self, phase: str, *, received: int | None = None, **more: Any) -> None:
        """Say where the scan is; repeated counts within a tenth of a second are kept back."""
        now = self._parts.clock()
        if received is not None:
            self._received = received
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
                "started_s": self._scan.started_s,
                "sample": self._scan.plan.get("sample_name"),
                "plan": self._scan.plan.get("plan_name"),
                **more,
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

    def maybe_preview(self, session: Reconstruction, used: int) -> None:
        """Show a slice, and more rarely labels and a provisional porosity, when enough is new."""
        self._say_centre(session)
        if used == self._scan.projection_count:
            return  # the whole volume comes next
        if used >= self._next_labels:
            self._next_labels = used + self._label_step
            self._next_slice = used + self._slice_step
            self._provisional_labels(session, used)
        elif used >= self._next_slice:
            self._next_slice = used + self._slice_step
            middle = self._depth // 2
            self._picture("xy", session.preview(middle), z=middle, received=used, provisional=True)

    def show(self, volume: npt.NDArray[np.float32], labels: npt.NDArray[np.uint8] | None) -> None:
        """Show the three centre slices of the finished volume, or of its labels."""
        planes = centre_slices(volume)
        masks = centre_slices(labels) if labels is not None else {}
        for plane, grey in planes.items():
            self._picture(plane, grey, labels=masks.get(plane), received=self._received, provisional=False)

    def numbers(self, values: dict[str, Any], *, provisional: bool) -> None:
        """Say morphometry, provisional or final."""
        self._parts.emit({"event": "morphometry", "provisional": provisional, "values": values})

    def say_centre(self, session: Reconstruction) -> None:
        """Say the centre of rotation as it stands."""
        pixels, stderr, state = session.centre
        self._parts.emit({"event": "centre", "pixels": pixels, "stderr_pixels": stderr, "state": state})

    @property
    def _depth(self) -> int:
        return self._scan.detector_shape[0] if self._scan.detector_shape else 1

    def _say_centre(self, session: Reconstruction) -> None:
        if self._parts.clock() - self._said_s >= _SECONDS_BETWEEN_COUNTS:
            self.say_centre(session)

    def _provisional_labels(self, session: Reconstruction, used: int) -> None:
        half = self._parts.profile.live.provisional_slices // 2
        middle = self._depth // 2
        low, high = max(0, middle - half), min(self._depth, middle + half)
        thin = np.stack([session.preview(z) for z in range(low, high)])
        labels = np.concatenate([mask.classes for mask in self._parts.segmenter.segment(thin)])
        blank_outside(labels)
        centre = len(thin) // 2
        self._picture("xy", thin[centre], z=middle, received=used, provisional=True)
        self._picture("xy", thin[centre], labels=labels[centre], z=middle, received=used, provisional=True)
        counts = np.bincount(labels.ravel(), minlength=4)
        tissue = int(counts[[Label.BONE, Label.LCN, Label.SHADE_OFF]].sum())
        if tissue:
            share = float(counts[Label.LCN] / tissue)
            self.numbers({"lcn": {"porosity": share}, "projections": used}, provisional=True)

    def _picture(
        self,
        plane: str,
        grey: npt.NDArray[Any],
        *,
        labels: npt.NDArray[Any] | None = None,
        received: int,
        provisional: bool,
        z: int | None = None,
    ) -> None:
        self._parts.emit(
            {
                "event": "preview",
                "plane": plane,
                "kind": "reconstruction" if labels is None else "labels",
                "png": encode_png(grey, labels),
                "provisional": provisional,
                "z": z,
                "received": received,
            }
        )
