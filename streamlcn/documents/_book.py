"""The frames of one kind as they become known, in whatever order."""

from __future__ import annotations

from dataclasses import dataclass

from streamlcn.errors import FailedScan
from streamlcn.model import FileSource, FrameKind, FrameRef, InlineSource

__all__ = ["FrameBook", "Place", "Source", "backfilled", "is_backfilled"]

Source = InlineSource | FileSource
Place = tuple[int, int]
"""(rank of the stream, index within it)."""


_BACKFILLED = "backfilled:"


def backfilled(text: str) -> str:
    """Return the uid of a document that stands for one that was lost."""
    return f"{_BACKFILLED}{text}"


def is_backfilled(uid: str) -> bool:
    """Whether a document with this uid stands for one that was lost."""
    return uid.startswith(_BACKFILLED)


@dataclass(slots=True)
class _Entry:
    source: Source | None  # None once it was handed out: pixels are not held longer than needed
    token: str
    order: tuple[float, ...]


class FrameBook:
    """Frames of one kind in one run, by place.

    A frame told twice by the same document, or by it and by one that was had again from elsewhere, is a
    duplicate. Told by another one (a plan was paused and took it again), the later counts, unless the first
    was handed out already.
    """

    def __init__(self, kind: FrameKind) -> None:
        self.kind = kind
        self.duplicates = 0
        self.repeats = 0
        self.kept_first = 0
        self._entries: dict[Place, _Entry] = {}
        self._per_event: dict[int, int] = {}
        self._counts: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def count(self, rank: int) -> int:
        """How many frames the stream of this rank has given."""
        return self._counts.get(rank, 0)

    def per_event(self, rank: int) -> int | None:
        """Frames per event of a stream, once known."""
        return self._per_event.get(rank)

    def set_per_event(self, rank: int, name: str, per_event: int) -> None:
        """State how many frames each event of a stream has; raises `FailedScan` when that changes."""
        known = self._per_event.setdefault(rank, per_event)
        if known != per_event:
            raise FailedScan(
                f"stream {name!r} had {known} frames in each event and now has {per_event}: frames cannot be "
                "numbered any more"
            )

    def put(self, place: Place, source: Source, token: str, order: tuple[float, ...]) -> bool:
        """Note a frame; True when it is news."""
        known = self._entries.get(place)
        if known is None:
            self._entries[place] = _Entry(source, token, order)
            self._counts[place[0]] = self.count(place[0]) + 1
            return True
        if known.token == token or is_backfilled(known.token) != is_backfilled(token):
            self.duplicates += 1
            return False
        self.repeats += 1
        if order <= known.order:
            return False
        if known.source is None:
            self.kept_first += 1
            return False
        self._entries[place] = _Entry(source, token, order)
        return True

    def only_rank(self, rank: int, name: str) -> None:
        """Raise `FailedScan` when another stream gave frames too: they cannot be numbered together."""
        if any(known != rank for known in self._counts):
            raise FailedScan(
                f"stream {name!r} holds projections, but so does another one of this run: leave one of them "
                "out of documents.streams.projection"
            )

    def is_waiting(self, index: int) -> bool:
        """Whether this frame is known and not handed out (of a kind with one stream)."""
        place = self._place(index)
        return place is not None and self._entries[place].source is not None

    def indices(self) -> set[int]:
        """Indices of the frames of the first stream, handed out or not."""
        return {index for _, index in self._entries}

    def seq_nums(self, rank: int) -> set[int]:
        """Events of the stream of this rank whose frames are known, by seq_num."""
        per_event = self._per_event.get(rank) or 1
        return {index // per_event + 1 for found, index in self._entries if found == rank}

    def has_gaps(self) -> bool:
        """Whether a frame is missing before another of its stream."""
        last: dict[int, int] = {}
        for rank, index in self._entries:
            last[rank] = max(last.get(rank, -1), index)
        return any(self.count(rank) <= index for rank, index in last.items())

    def hand_out(self, index: int) -> Source:
        """Return where a waiting frame's pixels are, once."""
        place = self._place(index)
        assert place is not None
        entry = self._entries[place]
        assert entry.source is not None
        source, entry.source = entry.source, None
        return source

    def _place(self, index: int) -> Place | None:
        rank = next(iter(self._counts), 0)
        return (rank, index) if (rank, index) in self._entries else None

    def release(self) -> None:
        """Let go of all pixels; the frames stay counted."""
        for entry in self._entries.values():
            entry.source = None

    def refs(self, scan_uid: str) -> tuple[FrameRef, ...]:
        """Return all frames that were not handed out, numbered in the order of their places."""
        found = sorted((place, entry.source) for place, entry in self._entries.items() if entry.source)
        return tuple(
            FrameRef(scan_uid=scan_uid, kind=self.kind, index=index, angle_rad=None, source=source)
            for index, (_, source) in enumerate(found)
            if source
        )
