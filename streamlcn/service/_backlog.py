"""What is in the journal and not yet read by the worker."""

from __future__ import annotations

from collections import deque

from streamlcn.documents import Cursor
from streamlcn.ports import Clock

__all__ = ["Backlog"]

_MOST = 100_000


class Backlog:
    """How many documents wait for the worker, and since when; right also while it computes or is dead.

    Counts from the start of this process on, and up to 100 000 documents: of those that came before, or
    beyond, nothing is known here; the journal holds them all.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: deque[tuple[Cursor, float]] = deque()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def seconds(self) -> float:
        """How long the oldest has waited; 0 when none waits."""
        return max(0.0, self._clock() - self._waiting[0][1]) if self._waiting else 0.0

    def came(self, end: Cursor) -> None:
        """Note a document whose record ends at ``end``."""
        if len(self._waiting) < _MOST:
            self._waiting.append((end, self._clock()))

    def read(self, end: Cursor) -> None:
        """Note that the worker has taken all records up to ``end``."""
        while self._waiting and self._waiting[0][0] <= end:
            self._waiting.popleft()
