"""Runs whose results are delivered though the checkpoint stands before them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from streamlcn.documents import Cursor

__all__ = ["DoneRuns"]


class DoneRuns:
    """Uids in the order in which they ended, each with the place in the journal behind its end.

    An older run that is still open, or flats that later runs may use, hold the checkpoint back; when the
    journal is read again from there, nothing may be said of these runs a second time.
    """

    def __init__(self, known: Iterable[str] = ()) -> None:
        self._ends: dict[str, Cursor | None] = dict.fromkeys(known)

    def __iter__(self) -> Iterator[str]:
        return iter(self._ends)

    def add(self, uid: str, end: Cursor) -> None:
        """Note that a run is done; ``end`` is behind its last document."""
        self._ends[uid] = end

    def caught_up(self, end: Cursor) -> None:
        """Note that the journal was read up to ``end``: runs known from before a restart end before it."""
        for uid, known in self._ends.items():
            if known is None:
                self._ends[uid] = end

    def drop_before(self, cursor: Cursor) -> None:
        """Forget runs that lie wholly before ``cursor``: a restart would not meet them again."""
        self._ends = {uid: end for uid, end in self._ends.items() if end is None or end > cursor}
