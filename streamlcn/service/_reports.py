"""What the daemon's first process says of itself each second."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from streamlcn.documents import JournalState, JournalWriter, ZmqSource
from streamlcn.ports import Clock, Telemetry
from streamlcn.profile import Profile
from streamlcn.service._backlog import Backlog
from streamlcn.service._channel import EventReceiver
from streamlcn.telemetry import DeviceWatch, EventTelemetry

__all__ = ["Reports"]

_EVERY_S = 1.0
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


class Reports:
    """Levels and counts of receiving, of the disk, of the worker's memory and of the graphics cards.

    ``tell`` takes an event; ``warn`` a text and a section of the runbook.
    """

    def __init__(
        self,
        profile: Profile,
        telemetry: Telemetry,
        tell: Callable[[Mapping[str, Any]], None],
        warn: Callable[[str, str], None],
        clock: Clock,
    ) -> None:
        self._profile, self._telemetry, self._clock = profile, telemetry, clock
        self._tell, self._warn = tell, warn
        self._devices = DeviceWatch(EventTelemetry(tell), clock)
        self._counted: dict[tuple[str, str], int] = {}
        self._reported_s = self._stepped_s = clock()
        self._longest_s = 0.0
        self._is_nearly_full = False
        telemetry.level("receive_queue_capacity_bytes", profile.ingest.receive.queue_bytes)

    def step(
        self,
        source: ZmqSource,
        journal: JournalWriter,
        backlog: Backlog,
        events: EventReceiver,
        worker: int | None,
    ) -> None:
        """Call it once a round; it reports when it is time. ``worker`` is the worker's process id."""
        now = self._clock()
        self._longest_s, self._stepped_s = max(self._longest_s, now - self._stepped_s), now
        self._devices.step()
        if now - self._reported_s < _EVERY_S:
            return
        self._telemetry.level("loop_stall_seconds", self._longest_s)
        self._reported_s, self._longest_s = now, 0.0
        kept = journal.state
        self._receiving(source, kept)
        self._tell({"event": "lag", "documents": len(backlog), "seconds": backlog.seconds})
        self._grown("events_rejected", events.malformed, reason="malformed")
        self._telemetry.level("worker_resident_bytes", _resident_bytes(worker))
        self._disk(kept)

    def close(self) -> None:
        """End what is under way; may be called twice."""
        self._devices.close()

    def _receiving(self, source: ZmqSource, journal: JournalState) -> None:
        state = source.state
        for reason, count in state.rejected.items():
            self._grown("documents_rejected", count, reason=reason)
        if self._grown("documents_dropped", state.dropped):
            self._warn("documents came faster than they could be kept, and were lost", "documents-dropped")
        self._telemetry.level("receive_queue_bytes", state.queued_bytes)
        self._tell({"event": "stage", "stage": "ingest", "queue": state.queued})
        self._tell(
            {
                "event": "ingest",
                "connected": state.is_ready,
                "documents": sum(state.received.values()),
                "rejected": sum(state.rejected.values()),
                "dropped": state.dropped,
                "last_document_s": state.last_document_s,
                "journal_bytes": journal.total_bytes,
            }
        )

    def _disk(self, journal: JournalState) -> None:
        path = self._profile.state_dir
        self._telemetry.level("disk_free_bytes", shutil.disk_usage(path).free, path=str(path))
        if journal.is_nearly_full and not self._is_nearly_full:
            self._warn(f"the disk of {path} is nearly full: {journal.free_bytes / 1e9:.1f} GB", "disk-full")
        self._is_nearly_full = journal.is_nearly_full

    def _grown(self, what: str, total: int, **labels: str) -> int:
        """Count what ``total`` has grown by since the last time; return it."""
        key = (what, "".join(labels.values()))
        more = total - self._counted.get(key, 0)
        if more > 0:
            self._telemetry.count(what, more, **labels)
        self._counted[key] = total
        return more


def _resident_bytes(pid: int | None) -> int:
    """Return the memory that a process holds; 0 where there is none, or no /proc."""
    with suppress(OSError, ValueError, IndexError):
        if pid is not None:
            return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * _PAGE_BYTES
    return 0
