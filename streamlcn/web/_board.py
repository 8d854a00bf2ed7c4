"""What the live page shows, in memory: the latest of everything, and short histories."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from streamlcn.ports import Clock
from streamlcn.telemetry import BadEvent, events, parse_event
from streamlcn.web._scan_card import ScanCard
from streamlcn.web._stage_bar import StageBar
from streamlcn.web._tidy import json_ready

__all__ = ["Board"]

_RESULTS, _WARNINGS = 50, 50
_NOT_SHOWN = (events.Count, events.Level, events.Read, events.Request)


class Board:
    """Takes events from one thread and shows them to many. Bounded: previews and levels are latest-wins.

    ``wall_s`` tells Unix time. Unknown and malformed events are skipped (`rejected` counts them).
    """

    def __init__(
        self,
        *,
        profile: str = "",
        porosity_band: tuple[float, float] = (0.01, 0.04),
        wall_s: Clock = time.time,
    ) -> None:
        self._wall_s = wall_s
        self._lock = threading.Lock()
        self._version = 0
        self._listeners: set[Callable[[], None]] = set()
        self._scan = ScanCard()
        self._pictures: dict[tuple[str, str], tuple[int, events.Preview]] = {}
        self._results: list[dict[str, Any]] = []
        self._warnings: deque[dict[str, Any]] = deque(maxlen=_WARNINGS)
        self._stages = StageBar()
        self._parts: dict[str, Any] = {"model": None, "ood": None, "ingest": None, "lag": None, "store": None}
        self._devices: dict[str, dict[str, float]] = {}
        self._fixed = {"profile": profile, "porosity_band": list(porosity_band)}
        self._cached: tuple[int, bytes] = (-1, b"")
        self.rejected = 0

    def apply(self, event: Mapping[str, Any] | events.Event) -> None:
        """Take one event; never raises for a bad one."""
        try:
            known = parse_event(event)
        except BadEvent:
            self.rejected += 1
            return
        if isinstance(known, _NOT_SHOWN) and not _is_of_device(known):
            return
        with self._lock:
            self._take(known)
            self._version += 1
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener()

    def status(self) -> dict[str, Any]:
        """Return everything the page shows, JSON-ready: numbers are finite or None."""
        with self._lock:
            return self._status()

    def snapshot(self) -> tuple[int, bytes]:
        """Return (version, `status` as JSON), encoded once for all who ask."""
        with self._lock:
            if self._cached[0] != self._version:
                self._cached = (self._version, orjson.dumps(self._status()))
            return self._cached

    def picture(self, plane: str, kind: str) -> bytes | None:
        """Return the latest PNG of a plane (xy, xz, yz) and kind (reconstruction, labels)."""
        with self._lock:
            found = self._pictures.get((plane, kind))
        return found[1].png if found else None

    def subscribe(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call ``listener`` (quick, must not raise) after each change; returns what ends that."""
        with self._lock:
            self._listeners.add(listener)

        def leave() -> None:
            with self._lock:
                self._listeners.discard(listener)

        return leave

    def forget_worker(self) -> None:
        """Show no stage as busy: the worker died and another will start."""
        with self._lock:
            self._stages.forget_worker()
            self._version += 1

    def _take(self, event: events.Event) -> None:
        match event:
            case events.ScanPhase():
                self._take_phase(event)
            case events.Preview():
                self._pictures[event.plane, event.kind] = (self._version + 1, event)
            case events.Centre():
                self._scan.centre_is(event)
            case events.Morphometry():
                self._scan.numbers(event)
            case events.Result():
                self._note_result(event.model_dump(exclude={"event"}))
            case events.Warned():
                said = event.model_dump(exclude={"event"})
                self._warnings.appendleft({**said, "at_s": self._wall_s()})
            case events.Stage() | events.Beat() | events.Timed():
                self._stages.take(event, self._wall_s())
            case _:
                self._take_part(event)

    def _take_part(self, event: events.Event) -> None:
        match event:
            case events.Model() | events.Ood() | events.Ingest() | events.Lag() | events.Store():
                self._parts[event.event] = event.model_dump(exclude={"event"})
                if isinstance(event, events.Store):
                    self._stages.take(events.Stage(stage="write", queue=event.spooled), self._wall_s())
            case events.Level():
                self._devices.setdefault(event.labels["gpu"], {})[event.what] = event.value

    def _take_phase(self, event: events.ScanPhase) -> None:
        if self._scan.uid != event.uid:
            self._scan = ScanCard()
            self._pictures.clear()
            self._parts["ood"] = None
        self._scan.phase(event, self._wall_s())
        if event.phase == "failed":
            self._note_result({"uid": event.uid, "status": "failed", "uri": None, "flags": []})

    def _note_result(self, result: dict[str, Any]) -> None:
        """Put a result on top; one row per scan and recipe."""
        key = (result["uid"], result.get("recipe_hash", ""))
        kept = [row for row in self._results if (row["uid"], row.get("recipe_hash", "")) != key]
        row = {**result, "sample": self._scan.sample_of(result["uid"]), "at_s": self._wall_s()}
        self._results = [row, *kept][:_RESULTS]

    def _status(self) -> dict[str, Any]:
        pictures = {
            f"{plane}-{kind}": {
                "url": f"/preview/{plane}/{kind}.png?v={sequence}",
                **preview.model_dump(include={"plane", "kind", "provisional", "z", "received"}),
            }
            for (plane, kind), (sequence, preview) in self._pictures.items()
        }
        status = {
            "version": self._version,
            "now_s": self._wall_s(),
            **self._fixed,
            "scan": self._scan.as_dict(),
            "stages": self._stages.as_list(),
            "devices": self._devices,
            "pictures": pictures,
            "results": self._results,
            "warnings": list(self._warnings),
            **self._parts,
        }
        ready: dict[str, Any] = json_ready(status)
        return ready


def _is_of_device(event: events.Event) -> bool:
    return isinstance(event, events.Level) and set(event.labels) == {"gpu"} and len(event.labels["gpu"]) < 4
