"""Documents that never arrive."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from simulators.wire_faults import Faulty, Wire

_REFERENCE_STREAMS = ("dark", "darks", "flat", "flats")
_FRAMES = ("event", "event_page", "datum", "resource", "stream_datum", "stream_resource")


class _Counting(Faulty):
    """Knows which projections a document stands for, numbered from 1."""

    def __init__(self, wire: Wire) -> None:
        super().__init__(wire)
        self._frames_per_event: dict[str, int] = {}

    def projections_in(self, name: str, document: Mapping[str, Any]) -> Collection[int]:
        """Return the numbers of the projections in an event, event_page or stream_datum; else nothing."""
        if name == "descriptor" and document["name"] not in _REFERENCE_STREAMS:
            shapes = [key["shape"] for key in document["data_keys"].values() if len(key["shape"]) >= 2]
            if shapes:
                self._frames_per_event[document["uid"]] = int(np.prod(shapes[0][:-2]))
        each = self._frames_per_event.get(document.get("descriptor", ""), 0)
        return [
            (number - 1) * each + frame
            for number in _seq_nums(name, document)
            for frame in range(1, each + 1)
        ]


class DropProjections(_Counting):
    """Loses the event or stream_datum documents of the projections numbered in ``lost``, from 1.

    A document that stands for several frames is lost if any of them is to be.
    """

    def __init__(self, wire: Wire, lost: Collection[int]) -> None:
        super().__init__(wire)
        self._lost = frozenset(lost)

    def __call__(self, name: str, document: Mapping[str, Any]) -> None:
        """Send one document or lose it."""
        if self._lost.isdisjoint(self.projections_in(name, document)):
            self._wire(name, document)


class JoinLate(_Counting):
    """Loses all before projection number ``first``: what a subscriber misses that comes in the middle."""

    def __init__(self, wire: Wire, first: int) -> None:
        super().__init__(wire)
        self._first = first
        self._has_joined = False

    def __call__(self, name: str, document: Mapping[str, Any]) -> None:
        """Send one document or lose it."""
        self._has_joined |= any(number >= self._first for number in self.projections_in(name, document))
        if self._has_joined:
            self._wire(name, document)


class DropShare(Faulty):
    """Loses each document about frames with the same probability, always the same ones of the same scan."""

    def __init__(self, wire: Wire, share: float) -> None:
        super().__init__(wire)
        self._share = share
        self._rng = np.random.default_rng(0xD0C)

    def __call__(self, name: str, document: Mapping[str, Any]) -> None:
        """Send one document or lose it."""
        if name not in _FRAMES or self._rng.random() >= self._share:
            self._wire(name, document)


class DropNames(Faulty):
    """Loses all documents of some names, such as "start"."""

    def __init__(self, wire: Wire, *names: str) -> None:
        super().__init__(wire)
        self._names = names

    def __call__(self, name: str, document: Mapping[str, Any]) -> None:
        """Send one document or lose it."""
        if name not in self._names:
            self._wire(name, document)


def spread(count: int, total: int) -> set[int]:
    """Choose ``count`` of the numbers from 1 to ``total``, evenly spread."""
    return {int((number + 0.5) * total / count) + 1 for number in range(count)}


def burst(total: int) -> range:
    """Choose a tenth of the numbers from 1 to ``total``, one after the other from the middle on."""
    first = total // 2 + 1
    return range(first, first + max(1, total // 10))


def _seq_nums(name: str, document: Mapping[str, Any]) -> list[int]:
    if name == "event":
        return [document["seq_num"]]
    if name == "event_page":
        return list(document["seq_num"])
    if name == "stream_datum":
        return list(range(document["seq_nums"]["start"], document["seq_nums"]["stop"]))
    return []
