"""The daemon's first process: receives, keeps, shows, supervises. It never computes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import structlog

from streamlcn.documents import Cursor, JournalFull, JournalWriter, Received, ZmqSource
from streamlcn.errors import BadInput
from streamlcn.ports import Clock
from streamlcn.profile import Profile
from streamlcn.service._backlog import Backlog
from streamlcn.service._channel import EventReceiver
from streamlcn.service._reports import Reports
from streamlcn.service._supervisor import Supervisor
from streamlcn.telemetry import (
    BadEvent,
    Health,
    PrometheusTelemetry,
    SystemdNotifier,
    events,
    parse_event,
)
from streamlcn.web import Board, make_app, serve

__all__ = ["Daemon"]

_log = structlog.get_logger(__name__)

_WAIT_S = 0.05
_AT_A_TIME = 200
_BAD_INPUT = 2


class Daemon:
    """All of the first process; `step` is one round of its loop and lasts at most a tenth of a second.

    Parameters
    ----------
    worker
        Command line of the worker; the address for its events is appended.
    environ
        Where systemd's variables are looked for.
    """

    def __init__(
        self,
        profile: Profile,
        worker: Sequence[str],
        *,
        environ: Mapping[str, str] = os.environ,
        clock: Clock = time.monotonic,
        wall: Clock = time.time,
    ) -> None:
        """Open everything; raises `BadInput` for an address that is taken or a journal in use."""
        self._profile, self._clock = profile, clock
        self.health = Health(profile.telemetry)
        self.telemetry = PrometheusTelemetry()
        self.board = Board(profile=profile.name, porosity_band=profile.web.porosity_band)
        self._journal = JournalWriter(profile.journal_dir, profile.ingest.journal, wall=wall)
        app = make_app(self.board, self.health, self.telemetry, page_hz=profile.web.page_hz)
        try:
            self._server = serve(app, profile.web.host, profile.web.port)
            self._source = ZmqSource(
                profile.ingest.address, prefix=profile.ingest.prefix, settings=profile.ingest.receive
            )
        except BaseException:
            self._journal.close()
            raise
        self._events = EventReceiver()
        command = [*worker, "--events", self._events.address, "--parent", str(os.getpid())]
        self._supervisor = Supervisor(command, clock, on_restart=self._bury)
        self._notifier = SystemdNotifier(self.health, environ)
        self._backlog = Backlog(clock)
        self._reports = Reports(profile, self.telemetry, self._tell, self._warn, clock)
        self._in_hand: Received | None = None
        self._is_full = False

    @property
    def url(self) -> str:
        """Address of the live page."""
        return self._server.url

    @property
    def worker_pid(self) -> int | None:
        """Process id of the worker, or None while there is none."""
        return self._supervisor.pid

    def step(self) -> None:
        """Receive and keep what came, pass on what the worker says, look after the worker."""
        self._receive()
        for event in self._events.drain():
            self._hear(event)
        self._supervisor.step()
        self._reports.step(self._source, self._journal, self._backlog, self._events, self._supervisor.pid)
        self._notifier.step()

    def close(self) -> None:
        """Stop receiving, keep what was received, end the worker, close the page; in this order."""
        self._notifier.stopping()
        self._source.close()
        while self._keep_next(0.0):
            pass
        self._reports.close()
        self._supervisor.stop()
        self._journal.close()
        self._events.close()
        self._server.stop()

    def _receive(self) -> None:
        wait_s = _WAIT_S
        for _ in range(_AT_A_TIME):
            if not self._keep_next(wait_s):
                break
            wait_s = 0.0
        self._journal.tick()

    def _keep_next(self, wait_s: float) -> bool:
        """Move one document from the socket to the disk; what the disk does not take stays in hand."""
        if self._in_hand is None:
            self._in_hand = self._source.receive_whole(wait_s)
        if self._in_hand is None:
            return False
        try:
            self._backlog.came(self._journal.append(self._in_hand.message))
        except JournalFull as error:
            if not self._is_full:
                self._warn(str(error), "disk-full", level="error")
            self._is_full = True
            return False
        self._is_full = False
        self.telemetry.count("documents_received", name=self._in_hand.name)
        self._in_hand = None
        return True

    def _hear(self, event: Mapping[str, Any]) -> None:
        """Take an event of the worker."""
        if event.get("event") == "read":
            with suppress(BadEvent):
                place = parse_event(event)
                assert isinstance(place, events.Read)
                self._backlog.read(Cursor(place.segment, place.offset))
                return
        self._tell(event)

    def _tell(self, event: Mapping[str, Any]) -> None:
        for listener in (self.board, self.health, self.telemetry):
            listener.apply(event)

    def _warn(self, text: str, runbook: str, level: str = "warning") -> None:
        _log.warning("operator_warning", text=text, runbook=runbook)
        self._tell({"event": "warning", "level": level, "text": text, "runbook": runbook})

    def _bury(self, status: int) -> None:
        if status == _BAD_INPUT:
            raise BadInput("the worker refused to start; its message stands above")
        reason = "killed" if status == -signal.SIGKILL else "signal" if status < 0 else "exit"
        self.telemetry.count("worker_restarts", reason=reason)
        self.health.forget_worker()
        self.board.forget_worker()
        self._warn(f"the worker died (status {status}) and is started again", "worker-flapping")
