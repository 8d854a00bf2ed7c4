"""Health means progress: a process that exists and does nothing is not well."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from streamlcn.ports import Clock
from streamlcn.telemetry import events
from streamlcn.telemetry.settings import TelemetrySettings

__all__ = ["Health"]

_LOOPS = ("ingest", "worker")


class Health:
    """Hearts with deadlines, and what must be there before documents may come. Safe between threads.

    Two kinds of heart. *Loops* (``ingest``, ``worker``) beat all the time: ``ingest`` is expected from the
    start, ``worker`` from its first beat on and only while it has no stage open. *Stages* are expected to
    beat only while they are open: a beat opens one, `done` closes it.

    Live: no heart is overdue. Ready: live, subscribed and the model loaded. tiled is optional, because
    results wait in the spool while it is away.
    """

    def __init__(self, settings: TelemetrySettings | None = None, clock: Clock = time.monotonic) -> None:
        settings = settings or TelemetrySettings()
        self._deadline_s = {"ingest": settings.ingest_deadline_s, "worker": settings.worker_deadline_s}
        self._stage_deadline_s = settings.stage_deadline_s
        self._clock = clock
        self._lock = threading.Lock()
        self._beats: dict[str, float] = {"ingest": clock()}
        self._facts = {"subscribed": False, "model_loaded": False}
        self._store = "unknown"

    def beat(self, stage: str) -> None:
        """A loop went round; a stage began or still goes on."""
        with self._lock:
            self._beats[stage] = self._clock()

    def done(self, stage: str) -> None:
        """A stage ended: until it begins again nothing is expected of it."""
        with self._lock:
            if stage in _LOOPS:
                self._beats[stage] = self._clock()
                return
            self._beats.pop(stage, None)
            if "worker" in self._beats:  # its loop goes round again from here
                self._beats["worker"] = self._clock()

    def tell(self, *, subscribed: bool | None = None, model_loaded: bool | None = None) -> None:
        """State what readiness needs; None leaves a fact as it is."""
        with self._lock:
            if subscribed is not None:
                self._facts["subscribed"] = subscribed
            if model_loaded is not None:
                self._facts["model_loaded"] = model_loaded

    def forget_worker(self) -> None:
        """Close all that a dead worker had open: the supervisor starts another, which loads its model."""
        with self._lock:
            self._beats = {"ingest": self._beats["ingest"]}
            self._facts["model_loaded"] = False

    def apply(self, event: Mapping[str, Any] | events.Event) -> None:
        """Take one event of the worker or of ingest; others are passed over."""
        try:
            known = events.parse_event(event)
        except events.BadEvent:
            return  # the exporter counts it
        match known:
            case events.Beat():
                self.beat(known.stage)
            case events.Timed():
                self.done(known.stage)
            case events.Ingest():
                self.beat("ingest")
                self.tell(subscribed=known.connected)
            case events.Model():
                self.tell(model_loaded=True)
            case events.Store():
                with self._lock:
                    self._store = "degraded" if known.degraded else "ok"

    def overdue(self) -> dict[str, float]:
        """Return the hearts past their deadline and for how many seconds they have been silent."""
        with self._lock:
            now = self._clock()
            is_in_stage = any(stage not in _LOOPS for stage in self._beats)
            silent = {
                stage: now - beat
                for stage, beat in self._beats.items()
                if not (stage == "worker" and is_in_stage)
            }
        return {
            stage: round(seconds, 1)
            for stage, seconds in silent.items()
            if seconds > self._deadline_s.get(stage, self._stage_deadline_s)
        }

    @property
    def is_live(self) -> bool:
        """Everything that should move moves."""
        return not self.overdue()

    @property
    def is_ready(self) -> bool:
        """Documents may come."""
        return self.is_live and all(self._facts.values())

    def livez(self) -> tuple[bool, dict[str, Any]]:
        """Return the verdict and its reasons for ``/livez``."""
        overdue = self.overdue()
        return not overdue, {"live": not overdue, "overdue_s": overdue}

    def readyz(self) -> tuple[bool, dict[str, Any]]:
        """Return the verdict and its reasons for ``/readyz``."""
        ready = self.is_ready
        return ready, {"ready": ready, **self._facts, "live": self.is_live, "tiled": self._store}
