"""Faults between a RunEngine and its subscribers: documents repeated, disordered, misdirected, or none."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np

_REPEAT_EVERY = 7
_GARBAGE_EVERY = 25
_SHUFFLED_TOGETHER = 8

GARBAGE: tuple[bytes, ...] = (
    b"",
    b"\x00" * 64,
    b"no spaces at all",
    b" event",
    b" event not a document",
    b" no_such_document {}",
    b" start []",
    b' start {"uid": 7}',
    b" stop \x80\x04.",
    b" event " + pickle.dumps({"uid": "x", "data": {"camera_image": np.zeros((4, 4))}})[:-20],
    b" event " + b"\x81" * 300,
    b" descriptor \xc1",
    b" " + b"x" * 5000 + b" {}",
)
"""Messages that no publisher of documents would send; all are harmless to read, even carelessly."""


class Wire(Protocol):
    """Where documents leave the RunEngine."""

    def __call__(self, name: str, document: Mapping[str, Any]) -> None:
        """Send one document."""

    def send_raw(self, message: bytes) -> None:
        """Send bytes that need not be a document."""


class Faulty:
    """A wire that passes documents on to another, after doing something to them."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def send_raw(self, message: bytes) -> None:
        """Pass on."""
        self._wire.send_raw(message)


class Duplicate(Faulty):
    """Sends every seventh document twice."""

    _sent = 0

    def __call__(self, name: str, document: Mapping[str, Any]) -> None:
        """Send one document, or the same one twice."""
        self._wire(name, document)
        self._sent += 1
        if self._sent % _REPEAT_EVERY == 0:
            self._wire(name, document)


class Garbage(Faulty):
    """Sends something that is no document before the first one and after every 25th."""

    _sent = 0

    def __call__(self, name: str, document: Mapping[str, Any]) -> None:
        """Send one document, and perhaps garbage before it."""
        if self._sent % _GARBAGE_EVERY == 0:
            for message in GARBAGE:
                self._wire.send_raw(message)
        self._wire(name, document)
        self._sent += 1


class Reorder(Faulty):
    """Shuffles every eight documents among themselves, and what is left at a stop; always in the same way."""

    def __init__(self, wire: Wire) -> None:
        super().__init__(wire)
        self._waiting: list[tuple[str, Mapping[str, Any]]] = []
        self._rng = np.random.default_rng(5)

    def __call__(self, name: str, document: Mapping[str, Any]) -> None:
        """Keep one document back, or send all that were kept."""
        self._waiting.append((name, document))
        if name == "stop" or len(self._waiting) == _SHUFFLED_TOGETHER:
            waiting, self._waiting = self._waiting, []
            for place in self._rng.permutation(len(waiting)):
                self._wire(*waiting[place])


class Repeat(Faulty):
    """Sends a whole run once more, a pause after its stop; the documents are kept in memory until then."""

    def __init__(
        self, wire: Wire, *, pause_s: float = 1.0, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        super().__init__(wire)
        self._pause_s = pause_s
        self._sleep = sleep
        self._sent: list[tuple[str, Mapping[str, Any]]] = []

    def __call__(self, name: str, document: Mapping[str, Any]) -> None:
        """Send one document, and after a stop all since the last one again."""
        self._wire(name, document)
        self._sent.append((name, document))
        if name == "stop":
            self._sleep(self._pause_s)
            sent, self._sent = self._sent, []
            for again in sent:
                self._wire(*again)


class LateStop(Faulty):
    """Keeps each stop back until a frame of the next run has been sent, so that two runs seem to be open."""

    def __init__(self, wire: Wire, *, runs: int) -> None:
        super().__init__(wire)
        self._runs_to_come = runs
        self._kept: Mapping[str, Any] | None = None

    def __call__(self, name: str, document: Mapping[str, Any]) -> None:
        """Send one document, and perhaps the stop of the run before after it."""
        self._runs_to_come -= name == "start"
        if name == "stop" and self._runs_to_come > 0:
            self._kept = document
            return
        self._wire(name, document)
        if self._kept and name in ("event", "event_page", "stream_datum", "stop"):
            self._wire("stop", self._kept)
            self._kept = None


class Misdirect(Faulty):
    """Lets documents about files point at another one; the detector's file itself stays where it is."""

    def __init__(self, wire: Wire, path: Callable[[str], str]) -> None:
        super().__init__(wire)
        self._path = path

    def __call__(self, name: str, document: Mapping[str, Any]) -> None:
        """Send one document, its file changed."""
        if name == "resource":
            path = self._path(f"/{document['resource_path']}")
            document = {**document, "resource_path": path.lstrip("/")}
        elif name == "stream_resource":
            host = "file://localhost"
            document = {**document, "uri": host + self._path(document["uri"].removeprefix(host))}
        self._wire(name, document)
