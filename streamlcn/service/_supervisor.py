"""Keeps the worker alive: restart after a death, slower each time, until it lives for a while."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Sequence

import structlog

from streamlcn.ports import Clock

__all__ = ["Supervisor"]

_log = structlog.get_logger(__name__)

_FIRST_WAIT_S = 0.5
_LONGEST_WAIT_S = 30.0
_SETTLED_AFTER_S = 60.0


class Supervisor:
    """Owns one child process. `step` never blocks; the caller owns the clock."""

    def __init__(
        self,
        command: Sequence[str],
        clock: Clock,
        on_restart: Callable[[int], None] = lambda _status: None,
    ) -> None:
        self._command = list(command)
        self._clock = clock
        self._on_restart = on_restart
        self._process: subprocess.Popen[bytes] | None = None
        self._started_s = 0.0
        self._not_before_s = 0.0
        self._wait_s = _FIRST_WAIT_S
        self.restarts = 0

    @property
    def pid(self) -> int | None:
        """Process id of the worker, or None while there is none."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def step(self) -> None:
        """Notice a death; start the worker when it is time."""
        now = self._clock()
        if self._process is not None:
            status = self._process.poll()
            if status is None:
                if now - self._started_s > _SETTLED_AFTER_S:
                    self._wait_s = _FIRST_WAIT_S
                return
            self._bury(status, now)
        if now >= self._not_before_s:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL)
            self._started_s = now
            _log.info("worker_started", pid=self._process.pid, restarts=self.restarts)

    def stop(self, timeout_s: float = 5.0) -> None:
        """End the worker: SIGTERM, then SIGKILL after ``timeout_s``; the journal keeps the rest."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
            process.wait()

    def _bury(self, status: int, now: float) -> None:
        _log.error("worker_died", status=status, restart_in_s=self._wait_s)
        self._process = None
        self._not_before_s = now + self._wait_s
        self._wait_s = min(2 * self._wait_s, _LONGEST_WAIT_S)
        self.restarts += 1
        self._on_restart(status)
