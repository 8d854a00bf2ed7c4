"""What a run should have and has not: told by its stop document, or by what came later in a stream."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from streamlcn.documents._angles import EventAngles, FileAngles, MonitorAngles
from streamlcn.documents._facts import reads_baseline
from streamlcn.documents._run import Run
from streamlcn.documents._streams import kind_of_stream
from streamlcn.documents.settings import DocumentSettings
from streamlcn.model import FrameKind

__all__ = ["Lost", "expected_events", "lost_of"]

_MOST = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """What one stream lacks, by seq_num: frames, events, and values of angles in a file."""

    stream: str
    frames: tuple[int, ...] = ()
    events: tuple[int, ...] = ()
    values: tuple[int, ...] = ()

    def items(self) -> Iterator[tuple[str, str, int]]:
        """Yield (stream, what, seq_num)."""
        for what in ("frames", "events", "values"):
            for seq_num in getattr(self, what):
                yield self.stream, what, seq_num


def expected_events(run: Run) -> dict[str, int]:
    """Return how many events each stream has: by the stop document, before it by the last that came."""
    told = (run.stop or {}).get("num_events")
    if isinstance(told, dict):
        return {name: count for name, count in told.items() if type(count) is int and 0 <= count <= _MOST}
    last: dict[str, int] = {}
    for stream in run.streams.values():
        last[stream.name] = max(_seen(run, stream.name), default=0)
    return last


def lost_of(run: Run, settings: DocumentSettings) -> list[Lost]:
    """Return what is missing of the streams that a scan needs, as far as that can be known now."""
    found = []
    for name, count in expected_events(run).items():
        wanted = range(1, count + 1)
        kind, rank = kind_of_stream(name, settings)
        seen = run.events.get(name, {})
        if kind is not None and run.wants(kind):
            lost = _lost_frames(run, name, kind, rank, wanted)
        elif name == _monitor(run) or (name == settings.streams.baseline and reads_baseline(settings)):
            lost = Lost(stream=name, events=tuple(seq for seq in wanted if seq not in seen))
        else:
            continue
        if lost.frames or lost.events or lost.values:
            found.append(lost)
    return found


def _lost_frames(run: Run, name: str, kind: FrameKind, rank: int, wanted: range) -> Lost:
    book, angles = run.books[kind], run.angles
    frames = book.seq_nums(rank)
    events: set[int] = set(wanted)
    values: set[int] = set(wanted)
    if kind is FrameKind.PROJECTION and isinstance(angles, EventAngles | MonitorAngles):
        events = set(run.events.get(name, {}))
    elif kind is FrameKind.PROJECTION and isinstance(angles, FileAngles):
        per_event = book.per_event(rank) or 1
        values = {seq for seq in wanted if angles.at((seq - 1) * per_event) is not None}
    return Lost(
        stream=name,
        frames=tuple(seq for seq in wanted if seq not in frames),
        events=tuple(seq for seq in wanted if seq not in events),
        values=tuple(seq for seq in wanted if seq not in values),
    )


def _monitor(run: Run) -> str | None:
    return None if run.angles is None else run.angles.monitor_stream


def _seen(run: Run, name: str) -> set[int]:
    seen = set(run.events.get(name, ()))
    for places in run.places.values():
        seen |= {seq for stream, seq in places.values() if stream == name}
    return seen
