"""The stages of the work as the page shows them: who is at it, how long it took, what waits."""

from __future__ import annotations

from collections import deque
from typing import Any

from streamlcn.telemetry import STAGES, events

__all__ = ["StageBar"]

_RECENT = 100


class StageBar:
    """One entry per stage; events of other stages are passed over."""

    def __init__(self) -> None:
        self._took: dict[str, deque[float]] = {stage: deque(maxlen=_RECENT) for stage in STAGES}
        self._busy_since: dict[str, float] = {}
        self._shares: dict[str, float] = {}
        self._queues = dict.fromkeys(STAGES, 0)

    def take(self, event: events.Stage | events.Beat | events.Timed, now_s: float) -> None:
        """Take a queue, a beginning or an end; ``now_s`` is Unix time."""
        if event.stage not in self._took:
            return
        match event:
            case events.Stage():
                self._queues[event.stage] = event.queue
            case events.Beat():
                self._busy_since.setdefault(event.stage, now_s)
                if event.share is not None:
                    self._shares[event.stage] = event.share
            case events.Timed():
                self._busy_since.pop(event.stage, None)
                self._shares.pop(event.stage, None)
                self._took[event.stage].append(event.seconds)

    def forget_worker(self) -> None:
        """Show no stage as busy."""
        self._busy_since.clear()
        self._shares.clear()

    def as_list(self) -> list[dict[str, Any]]:
        """Return the stages in their order: seconds of the last piece of work, the most of the last hundred,
        since when one is under way (Unix time), what share of it is done, and how much waits."""
        return [
            {
                "stage": stage,
                "queue": self._queues[stage],
                "seconds": took[-1] if took else None,
                "slowest_s": max(took, default=None),
                "busy_since_s": self._busy_since.get(stage),
                "share": self._shares.get(stage),
            }
            for stage, took in self._took.items()
        ]
