"""Faults between a RunEngine and its subscribers: documents lost, repeated, or never documents at all."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

_REPEAT_EVERY = 7
_GARBAGE_EVERY = 25

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


class _Faulty:
    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._sent = 0

    def send_raw(self, message: bytes) -> None:
        """Pass on."""
        self._wire.send_raw(message)


class Duplicate(_Faulty):
    """Sends every seventh document twice."""

    def __call__(self, name: str, document: Mapping[str, Any]) -> None:
        """Send one document, or the same one twice."""
        self._wire(name, document)
        self._sent += 1
        if self._sent % _REPEAT_EVERY == 0:
            self._wire(name, document)


class Garbage(_Faulty):
    """Sends something that is no document before the first one and after every 25th."""

    def __call__(self, name: str, document: Mapping[str, Any]) -> None:
        """Send one document, and perhaps garbage before it."""
        if self._sent % _GARBAGE_EVERY == 0:
            for message in GARBAGE:
                self._wire.send_raw(message)
        self._wire(name, document)
        self._sent += 1


class Drop(_Faulty):
    """Loses ``count`` of the ``total`` projections' event or stream_datum documents, spread over the scan.

    A document that stands for several frames is lost if any of them is to be.
    """

    def __init__(self, wire: Wire, count: int, total: int) -> None:
        super().__init__(wire)
        self._lost = {int((number + 0.5) * total / count) + 1 for number in range(count)}
        self._projections: set[str] = set()

    def __call__(self, name: str, document: Mapping[str, Any]) -> None:
        """Send one document or lose it."""
        if name == "descriptor" and document["name"] not in ("dark", "darks", "flat", "flats", "baseline"):
            self._projections.add(document["uid"])
        if document.get("descriptor") in self._projections and self._lost & set(_seq_nums(name, document)):
            return
        self._wire(name, document)


def _seq_nums(name: str, document: Mapping[str, Any]) -> list[int]:
    if name == "event":
        return [document["seq_num"]]
    if name == "event_page":
        return list(document["seq_num"])
    if name == "stream_datum":
        return list(range(document["seq_nums"]["start"], document["seq_nums"]["stop"]))
    return []
