"""The journal becomes results: one step, one document; no sockets, no clock of its own."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

import structlog

from streamlcn.documents import (
    Assembler,
    Backfill,
    Checkpoint,
    JournalReader,
    JournalRecord,
    decode,
    load_checkpoint,
    reason_of,
    save_checkpoint,
)
from streamlcn.errors import BadDocument
from streamlcn.model import ScanEnded, ScanUpdate
from streamlcn.pipeline import Parts, Router
from streamlcn.ports import Clock
from streamlcn.service._done import DoneRuns
from streamlcn.service._fills import FillReports
from streamlcn.service._poison import CrashBook

__all__ = ["CHECKPOINT", "Delivery", "Worker"]

CHECKPOINT = "worker"
_HOUSEKEEPING_S = 2.0

_log = structlog.get_logger(__name__)


class Delivery(Protocol):
    """Results that wait for their store."""

    @property
    def spooled(self) -> int:
        """How many wait."""
        ...

    @property
    def spooled_bytes(self) -> int:
        """Their size on disk."""
        ...

    @property
    def is_away(self) -> bool:
        """Whether the store failed when it was last tried."""
        ...

    def deliver(self) -> int:
        """Bring over what waits; return how many results were delivered."""
        ...


class Worker:
    """A function of the journal: what it has done is in the checkpoint, all else is made again after a death.

    Parameters
    ----------
    journal
        Folder of the journal; the checkpoint lies in it too.
    make_assembler
        Called with the uids of runs whose results are delivered.
    make_backfill
        Called with the assembler; what it returns has lost documents again.
    delivery
        The spool; None for a store that keeps nothing back.
    wall
        Seconds since the epoch: the journal's records carry them.
    """

    def __init__(
        self,
        journal: Path,
        parts: Parts,
        make_assembler: Callable[[Iterable[str]], Assembler],
        *,
        make_backfill: Callable[[Assembler], Backfill] | None = None,
        delivery: Delivery | None = None,
        wall: Clock = time.time,
    ) -> None:
        self._journal, self._parts, self._wall = journal, parts, wall
        checkpoint = load_checkpoint(journal, CHECKPOINT)
        self._reader = JournalReader(journal, checkpoint.cursor if checkpoint else None)
        self._done = DoneRuns(checkpoint.done if checkpoint else ())
        self._crashes = CrashBook(journal)
        self._assembler = make_assembler([*self._done, *self._crashes.given_up()])
        self._backfill = make_backfill(self._assembler) if make_backfill else None
        self._fills = FillReports(parts)
        self._router = Router(parts)
        self._delivery = delivery
        self._saved: Checkpoint | None = checkpoint
        self._kept_house_s = 0.0
        self._counted: Counter[str] = Counter()
        self._latest_s = 0.0
        self._is_sound = True
        self._crashes.announce(parts.emit)

    @property
    def active(self) -> tuple[str, ...]:
        """Uids of the scans under way."""
        return self._router.active

    def step(self) -> bool:
        """Handle one document, or the passing of time when there is none; return whether there was one."""
        record = self._reader.read()
        try:
            if record is None:
                self._done.caught_up(self._reader.cursor)
                self._let_time_pass(max(self._wall(), self._latest_s))
            else:
                self._handle(record)
        except BaseException as error:
            self._is_sound = False  # what this document led to is half done: a restart has to meet it again
            if isinstance(error, Exception):
                self._crashes.note(self._router.active, error)
            raise
        if record is None or self._wall() - self._kept_house_s > _HOUSEKEEPING_S:
            self._keep_house()
        return record is not None

    def close(self) -> None:
        """Save where it stands, unless it broke. Scans under way are left as they are, for a restart."""
        if self._is_sound:
            self._save()
        self._reader.close()
        if self._backfill is not None:
            self._backfill.close()

    def _handle(self, record: JournalRecord) -> None:
        self._latest_s = max(self._latest_s, record.time_s)
        self._parts.emit({"event": "read", "segment": record.end.segment, "offset": record.end.offset})
        try:
            name, document = decode(record.payload, self._parts.profile.ingest.receive.limits)
        except BadDocument as error:  # ingest lets none through: the limits were changed, or the disk erred
            self._parts.telemetry.count("documents_rejected", reason=reason_of(error))
            return
        if self._backfill is not None:  # before: after a pause the document may end a run that lacks some
            self._lead(self._backfill.step(record.time_s), record.time_s)
        self._lead(self._assembler.handle(name, document, record.time_s, record.start), record.time_s)

    def _let_time_pass(self, now_s: float) -> None:
        if self._backfill is not None:
            self._lead(self._backfill.step(now_s), None)
        self._lead(self._assembler.expire(now_s), None)

    def _lead(self, updates: Iterable[ScanUpdate], arrived_s: float | None) -> None:
        for update in updates:
            self._router.handle(update, arrived_s)
            if isinstance(update, ScanEnded):
                self._done.add(update.scan_uid, self._reader.cursor)
                self._crashes.forget(update.scan_uid)
                self._save()

    def _keep_house(self) -> None:
        now = self._wall()
        if now - self._kept_house_s < _HOUSEKEEPING_S:
            return
        self._kept_house_s = now
        self._parts.telemetry.beat("worker")
        self._say_rejected()
        if self._backfill is not None:
            self._fills.step(self._backfill.state)
        self._save()
        if self._delivery is not None:
            self._deliver(self._delivery)

    def _deliver(self, delivery: Delivery) -> None:
        if not self._router.active and delivery.spooled:
            with self._parts.telemetry.timed("write"):
                delivery.deliver()
        waiting, size = delivery.spooled, delivery.spooled_bytes
        self._parts.emit(
            {"event": "store", "spooled": waiting, "spooled_bytes": size, "degraded": delivery.is_away}
        )

    def _say_rejected(self) -> None:
        state = self._assembler.state
        seen = Counter({**state.rejected, "orphaned": state.orphans_dropped})
        for reason, amount in (seen - self._counted).items():
            self._parts.telemetry.count("documents_rejected", amount, reason=reason)
        self._counted = seen

    def _save(self) -> None:
        cursor = self._assembler.held_since or self._reader.cursor
        self._done.drop_before(cursor)
        checkpoint = Checkpoint(cursor=cursor, done=tuple(self._done))
        if checkpoint != self._saved:
            save_checkpoint(self._journal, CHECKPOINT, checkpoint)
            self._saved = checkpoint
