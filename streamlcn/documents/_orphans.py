"""Documents that came before what they refer to."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Orphan", "Orphans"]

_MIB = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """One document that waits."""

    name: str
    document: Mapping[str, Any]
    waits_for: tuple[str, str]
    came_s: float
    position: Any
    size: int


class Orphans:
    """Keeps a bounded number of them, and of their pixels; beyond that the oldest are dropped and counted."""

    def __init__(self, most: int, most_mb: float) -> None:
        self._most = most
        self._most_bytes = most_mb * _MIB
        self._waiting: OrderedDict[int, Orphan] = OrderedDict()
        self._by_uid: dict[tuple[str, str], list[int]] = {}
        self._bytes = 0
        self._number = 0
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(
        self,
        name: str,
        document: Mapping[str, Any],
        *,
        waits_for: tuple[str, str],
        now_s: float,
        position: Any,
    ) -> None:
        """Keep a document until ``waits_for`` is known."""
        size = _size(document)
        orphan = Orphan(
            name=name, document=document, waits_for=waits_for, came_s=now_s, position=position, size=size
        )
        self._number += 1
        self._waiting[self._number] = orphan
        self._by_uid.setdefault(waits_for, []).append(self._number)
        self._bytes += size
        while self._waiting and (len(self._waiting) > self._most or self._bytes > self._most_bytes):
            self._drop(next(iter(self._waiting)))

    def claim(self, waited_for: tuple[str, str]) -> list[Orphan]:
        """Return the documents that waited for it, in the order in which they came."""
        return [self._remove(number) for number in self._by_uid.pop(waited_for, ())]

    def waiting(self) -> list[Orphan]:
        """Return all of them, in the order in which they came."""
        return list(self._waiting.values())

    def expire(self, before_s: float) -> None:
        """Drop those that came before a time."""
        for number in [number for number, orphan in self._waiting.items() if orphan.came_s < before_s]:
            self._drop(number)

    def positions(self) -> Iterator[Any]:
        """Yield where they are in the journal."""
        return (orphan.position for orphan in self._waiting.values() if orphan.position is not None)

    def _drop(self, number: int) -> None:
        orphan = self._remove(number)
        siblings = self._by_uid[orphan.waits_for]
        siblings.remove(number)
        if not siblings:
            del self._by_uid[orphan.waits_for]
        self.dropped += 1

    def _remove(self, number: int) -> Orphan:
        orphan = self._waiting.pop(number)
        self._bytes -= orphan.size
        return orphan


def _size(document: Mapping[str, Any]) -> int:
    data = document.get("data")
    values = data.values() if isinstance(data, dict) else ()
    return 500 + sum(value.nbytes if isinstance(value, np.ndarray) else 8 * len(value)
                     for value in values if isinstance(value, np.ndarray | list))  # fmt: skip
