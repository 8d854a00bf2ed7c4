"""Telemetry where no exporter is: in the worker, which sends events, and in trials, which keep nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from structlog.contextvars import bound_contextvars

from streamlcn.ports import Clock

__all__ = ["EventTelemetry", "NullTelemetry"]


class EventTelemetry:
    """Turns what it is told into events; a `streamlcn.ports.Telemetry` for the worker process.

    ``send`` must neither block nor raise, as the sender of the event channel does not.
    """

    def __init__(
        self, send: Callable[[Mapping[str, Any]], None], elapsed_s: Clock = time.perf_counter
    ) -> None:
        self._send = send
        self._elapsed_s = elapsed_s

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Time a stage and beat its heart at both ends."""
        self.beat(stage)
        started = self._elapsed_s()
        try:
            with bound_contextvars(stage=stage):  # each line of the log says so
                yield
        finally:
            self._send({"event": "timed", "stage": stage, "seconds": max(0.0, self._elapsed_s() - started)})

    def beat(self, stage: str, share: float | None = None) -> None:
        """Say that a stage began or still goes on, and what share of its work (0 to 1) is done."""
        self._send({"event": "beat", "stage": stage, "share": share})

    def count(self, what: str, amount: float = 1, **labels: str) -> None:
        """Add to a counter."""
        self._send({"event": "count", "what": what, "amount": amount, "labels": labels})

    def level(self, what: str, value: float, **labels: str) -> None:
        """Set a gauge."""
        self._send({"event": "level", "what": what, "value": value, "labels": labels})


class NullTelemetry:
    """Keeps nothing; for commands without operators."""

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:  # noqa: ARG002 - the port's name
        """Do nothing."""
        yield

    def beat(self, stage: str, share: float | None = None) -> None:
        """Do nothing."""

    def count(self, what: str, amount: float = 1, **labels: str) -> None:
        """Do nothing."""

    def level(self, what: str, value: float, **labels: str) -> None:
        """Do nothing."""
