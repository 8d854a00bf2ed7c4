"""What became of lost documents, for telemetry and for the page."""

from __future__ import annotations

from collections import Counter

from streamlcn.documents import BackfillState
from streamlcn.pipeline import Parts

__all__ = ["FillReports"]

_RUNBOOK = "frames-missing"


class FillReports:
    """Counts what is had again or not to be had; two lines for operators each time that something is lost."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._counted: Counter[str] = Counter()
        self._at_start: Counter[str] | None = None  # while something is being filled
        self._unreachable: str | None = None

    def step(self, state: BackfillState) -> None:
        """Tell what is new since the last time."""
        now = Counter({**state.documents, "given_up": state.given_up})
        more = now - self._counted
        for outcome, amount in more.items():
            self._parts.telemetry.count("documents_backfilled", amount, outcome=outcome)
        self._parts.telemetry.level("documents_sought", state.sought)
        if self._at_start is None and (more or state.sought):
            self._at_start = self._counted
            lacking = f"{state.sought} frames or events are" if state.sought else "documents were"
            self._say("info", f"{lacking} missing: looked for in the detector's files and in tiled")
        if self._at_start is not None and not state.sought:
            self._close(now - self._at_start)
            self._at_start = None
        if self._at_start is not None and state.unreachable and not self._unreachable:
            self._say("warning", f"lost documents wait for tiled: {state.unreachable}")
        self._counted, self._unreachable = now, state.unreachable

    def _close(self, became: Counter[str]) -> None:
        filled = ", ".join(
            f"{became[source]} from {source}" for source in ("file", "tiled") if became[source]
        )
        if became["given_up"]:
            had = f"; had again: {filled}" if filled else ""
            self._say("warning", f"{became['given_up']} frames or events were not to be had again{had}")
        elif filled:
            self._say("info", f"lost documents were had again: {filled}")

    def _say(self, level: str, text: str) -> None:
        self._parts.emit({"event": "warning", "level": level, "text": text, "runbook": _RUNBOOK})
