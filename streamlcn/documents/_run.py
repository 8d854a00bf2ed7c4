"""One run as its documents tell it. It learns; what to say when is decided in `_assembly`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from streamlcn.documents._angle_choice import choose_angles
from streamlcn.documents._angles import Angles, ReadValues
from streamlcn.documents._arrays import dtype_from
from streamlcn.documents._assets import Asset, point_number, resource_asset, stream_asset
from streamlcn.documents._book import FrameBook, Source
from streamlcn.documents._facts import Facts, reads_baseline
from streamlcn.documents._places import Places
from streamlcn.documents._placing import Slot
from streamlcn.documents._refused import refused
from streamlcn.documents._streams import Stream, kind_of_stream, stream_of
from streamlcn.documents.settings import DocumentSettings, MonitorAngle
from streamlcn.errors import FailedScan
from streamlcn.model import FrameKind, InlineSource

__all__ = ["Run", "Tools"]

_MOST_FRAMES = 1_000_000  # no scan has more, and lists of what is missing stay bounded


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What every run needs."""

    settings: DocumentSettings
    places: Places
    read_values: ReadValues | None


class Run:
    """Frames, angles and facts of one run. ``kinds`` are the frames that are wanted of it.

    ``streams`` are the descriptors by uid, ``resources`` the documents of files; ``places`` tells which index
    of a file is which (stream, seq_num); ``events`` tells when the events of a stream that came were, by
    seq_num.

    `take` raises `BadDocument` for a document that makes no sense, and `FailedScan` for one after which the
    run cannot become a scan.
    """

    def __init__(self, start: Mapping[str, Any], tools: Tools, kinds: frozenset[FrameKind]) -> None:
        self.uid: str = start["uid"]
        self.facts = Facts(start)
        self.books = {kind: FrameBook(kind) for kind in FrameKind}
        self.angles: Angles | None = None
        self._frame_shape: tuple[int, int] | None = None
        self._told_shape = _as_shape(self.facts.first(tools.settings.values.detector_shape))
        self.has_frame_stream = False
        self.stop: Mapping[str, Any] | None = None
        self.fresh: set[int] = set()
        self.copies = 0
        self._tools = tools
        self._kinds = kinds
        self.streams: dict[str, Stream] = {}
        self.resources: dict[str, Mapping[str, Any]] = {}
        self.places: dict[str, dict[int, Slot]] = {}
        self.events: dict[str, dict[int, float]] = {}
        self._assets: dict[str, Asset] = {}
        self._datums: dict[str, tuple[str, Mapping[str, Any]]] = {}
        self._monitors = {one.stream for one in tools.settings.angles if isinstance(one, MonitorAngle)}
        self._samples: list[Mapping[str, Any]] = []

    @property
    def frame_shape(self) -> tuple[int, int] | None:
        """(rows, columns) of its frames, once known."""
        return self._frame_shape or self._told_shape

    def wants(self, kind: FrameKind) -> bool:
        """Whether frames of this kind are wanted of it."""
        return kind in self._kinds

    @property
    def planned_count(self) -> int | None:
        """How many projections there should be, where the start document or the profile says so."""
        value = self._tools.settings.values.projection_count
        number = self.facts.number(value)
        count = value.fallback if number is None else number
        if count is None or not 1 <= count <= _MOST_FRAMES:
            return None
        return round(count)

    def lacks(self, name: str, document: Mapping[str, Any]) -> str | None:
        """Return the id of a datum that an event refers to and that has not come."""
        if name != "event":
            return None
        stream = self.streams[document["descriptor"]]
        value = document["data"].get(stream.image_key) if stream.kind is not None else None
        return value if isinstance(value, str) and value not in self._datums else None

    def take(self, name: str, document: Mapping[str, Any]) -> None:
        """Learn from one document whose descriptor and resource came before."""
        match name:
            case "descriptor":
                self._take_descriptor(document)
            case "resource" | "stream_resource":
                self.resources.setdefault(document["uid"], document)
            case "datum":
                self._datums.setdefault(
                    document["datum_id"], (document["resource"], document["datum_kwargs"])
                )
            case "event":
                self._take_event(document)
            case "stream_datum":
                self._take_stream_datum(document)
            case "stop":
                self.stop = document

    def choose_angles(self, data_keys: Mapping[str, Any] | None = None) -> None:
        """Find where the angles are, if it is known yet."""
        if self.angles is not None or FrameKind.PROJECTION not in self._kinds:
            return
        tools = self._tools
        self.angles = choose_angles(
            tools.settings.angles, self.facts, self.planned_count, data_keys, tools.read_values
        )
        for event in self._samples if self.angles is not None else ():
            self._take_sample(event)

    def ready(self) -> Iterator[int]:
        """Yield the projections that are not handed out and have both pixels and an angle."""
        if self.angles is None:
            return
        book = self.books[FrameKind.PROJECTION]
        for index in sorted(self.fresh):
            if book.is_waiting(index) and self.angles.at(index) is not None:
                yield index

    def lost(self) -> Iterator[tuple[str, int, int]]:
        """Yield (stream, told, arrived) where the stop document tells of more than arrived."""
        told = (self.stop or {}).get("num_events")
        for name, count in told.items() if isinstance(told, dict) else ():
            arrived = self._arrived(name)
            if type(count) is int and arrived is not None and arrived < count:
                yield name, count, arrived

    def told_projections(self) -> Iterator[tuple[int, int]]:
        """Yield (events, frames per event) of each stream of projections that the stop document tells of."""
        told = (self.stop or {}).get("num_events")
        for name, count in told.items() if isinstance(told, dict) else ():
            kind, rank = kind_of_stream(name, self._tools.settings)
            per_event = self.books[FrameKind.PROJECTION].per_event(rank) or 1
            if kind is FrameKind.PROJECTION and type(count) is int and count * per_event <= _MOST_FRAMES:
                yield count, per_event

    def is_whole(self) -> bool:
        """Whether all came that the stop document tells of, angles included."""
        if any(self.lost()):
            return False
        book, angles = self.books[FrameKind.PROJECTION], self.angles
        if angles is None:
            return not len(book)
        return all(angles.is_told(index) for index in book.indices() if book.is_waiting(index))

    def _arrived(self, name: str) -> int | None:
        """How many events' frames (or samples, or readings) of a stream came; None where nobody cares."""
        if self.angles is not None and name == self.angles.monitor_stream:
            return self.angles.samples_seen()
        if name == self._tools.settings.streams.baseline and reads_baseline(self._tools.settings):
            return len(self.facts.baseline_seq_nums)
        kind, rank = kind_of_stream(name, self._tools.settings)
        if kind is None or kind not in self._kinds:
            return None
        return self.books[kind].count(rank) // (self.books[kind].per_event(rank) or 1)

    def _take_descriptor(self, document: Mapping[str, Any]) -> None:
        if document["uid"] in self.streams:
            self.copies += 1
            return
        self.facts.learn_configuration(document)
        stream = stream_of(document, self.facts, self._tools.settings, self._kinds)
        self.streams[document["uid"]] = stream
        if stream.kind is None:
            return
        if stream.external:
            self._check_shape(stream.frame_shape, stream.name)
        self.has_frame_stream = True
        if stream.kind is FrameKind.PROJECTION:
            self.choose_angles(stream.data_keys)

    def _take_event(self, event: Mapping[str, Any]) -> None:
        stream = self.streams[event["descriptor"]]
        if stream.name == self._tools.settings.streams.baseline:
            self.facts.learn_baseline(event["seq_num"], event["data"])
        elif stream.name in self._monitors:
            self._take_sample(event)
        elif stream.kind is not None:
            self._take_frames(stream, event)
        self.events.setdefault(stream.name, {})[event["seq_num"]] = float(event["time"])

    def _take_sample(self, event: Mapping[str, Any]) -> None:
        if self.angles is None:
            self._samples.append(event)
            return
        self.angles.take_sample(event)

    def _take_frames(self, stream: Stream, event: Mapping[str, Any]) -> None:
        sources = self._sources(stream, event)
        count = len(sources) if sources else stream.per_event or 1
        first = self._first(stream, event["seq_num"], count)
        for offset, source in enumerate(sources):
            self._put(stream, first + offset, source, event["uid"], (float(event["time"]),))
        if stream.kind is FrameKind.PROJECTION and self.angles is not None:
            self.fresh.update(range(first, first + count))
            self.angles.take_event(first, count, event, stream.image_key)

    def _sources(self, stream: Stream, event: Mapping[str, Any]) -> list[Source]:
        value = event["data"].get(stream.image_key)
        if isinstance(value, str):
            return self._datum_sources(stream, value, event["seq_num"])
        if isinstance(value, np.ndarray | list):
            pixels = _pixels(value, stream)
            self._check_shape((pixels.shape[-2], pixels.shape[-1]), stream.name)
            stack = pixels[np.newaxis] if pixels.ndim == 2 else pixels
            return [InlineSource(pixels=frame) for frame in stack]
        if stream.external:
            return []
        raise refused(
            "invalid", f"an event of stream {stream.name!r} has no pixels under {stream.image_key!r}"
        )

    def _datum_sources(self, stream: Stream, datum_id: str, seq_num: int) -> list[Source]:
        resource, datum_kwargs = self._datums[datum_id]
        asset = self.asset(resource)
        count = asset.per_point or stream.per_event or 1
        point = point_number(datum_kwargs)
        first = point * count
        self._bound(count)
        self.places.setdefault(resource, {})[point] = (stream.name, seq_num)
        return [asset.frame(self._tools.places, first + offset) for offset in range(count)]

    def _take_stream_datum(self, document: Mapping[str, Any]) -> None:
        stream = self.streams[document["descriptor"]]
        data_key = self.resources[document["stream_resource"]].get("data_key")
        seq_nums, indices = document["seq_nums"], document["indices"]
        events = seq_nums["stop"] - seq_nums["start"]
        if events != indices["stop"] - indices["start"] or seq_nums["start"] < 1:
            raise refused("invalid", f"a stream_datum whose seq_nums {seq_nums} and indices {indices} differ")
        self._bound(seq_nums["stop"] * (stream.per_event or 1))
        self._note_places(stream, document["stream_resource"], indices["start"], seq_nums)
        if stream.kind is None:
            return
        per_event = stream.per_event or 1
        first = self._first(stream, seq_nums["start"], per_event)
        count = events * per_event
        if data_key == stream.image_key:
            self._take_range(stream, document, first, count, indices["start"] * per_event)
        elif self.angles is not None and data_key == self.angles.stream_key:
            asset = self.asset(document["stream_resource"])
            start = indices["start"] * per_event
            self.angles.take_values(first, count, asset.values(self._tools.places, start, start + count))
            self.fresh.update(range(first, first + count))

    def _take_range(
        self, stream: Stream, document: Mapping[str, Any], first: int, count: int, start: int
    ) -> None:
        asset = self.asset(document["stream_resource"])
        for offset in range(count):
            source = asset.frame(self._tools.places, start + offset)
            self._put(stream, first + offset, source, document["uid"], (float(start),))
        self.fresh.update(range(first, first + count))

    def _note_places(self, stream: Stream, resource: str, index: int, seq_nums: Mapping[str, int]) -> None:
        places = self.places.setdefault(resource, {})
        if len(places) > _MOST_FRAMES:
            return
        for offset, seq_num in enumerate(range(seq_nums["start"], seq_nums["stop"])):
            places[index + offset] = (stream.name, seq_num)

    def _put(self, stream: Stream, index: int, source: Source, token: str, order: tuple[float, ...]) -> None:
        assert stream.kind is not None
        book = self.books[stream.kind]
        if stream.kind is FrameKind.PROJECTION:
            book.only_rank(stream.rank, stream.name)
        book.put((stream.rank, index), source, token, order)

    def _first(self, stream: Stream, seq_num: int, per_event: int) -> int:
        assert stream.kind is not None
        self._bound(per_event)
        self._bound(seq_num * per_event)
        self.books[stream.kind].set_per_event(stream.rank, stream.name, per_event)
        return (seq_num - 1) * per_event

    def asset(self, uid: str) -> Asset:
        """Return the file of a resource that came; raises `FailedScan`, `BadDocument`."""
        if uid not in self._assets:
            document = self.resources[uid]
            is_stream = "uri" in document
            files = self._tools.settings.files
            self._assets[uid] = stream_asset(document) if is_stream else resource_asset(document, files)
        return self._assets[uid]

    def _check_shape(self, shape: tuple[int, int] | None, name: str) -> None:
        told = self._told_shape
        expected = told or self._frame_shape
        if shape is not None and expected is not None and shape != expected:
            where = "the start document says" if told else "frames before were"
            raise FailedScan(
                f"frames of stream {name!r} are {shape} pixels (rows, columns), but {where} {expected}: take "
                "all frames of a scan with the same region of interest and binning"
            )
        self._frame_shape = shape or expected

    @staticmethod
    def _bound(frames: int) -> None:
        if frames > _MOST_FRAMES:
            raise refused("invalid", f"a document speaks of {frames} frames; no scan has so many")


def _pixels(value: npt.NDArray[Any] | list[Any], stream: Stream) -> npt.NDArray[Any]:
    """Return (row, column) or (index, row, column) numbers."""
    if isinstance(value, list):
        told = stream.data_keys[stream.image_key].get("dtype_numpy")
        try:
            value = np.asarray(value, dtype_from(told) if isinstance(told, str) else None)
        except (ValueError, TypeError, OverflowError) as error:
            raise refused("invalid", f"pixels of stream {stream.name!r} are no array ({error})") from error
    if value.ndim not in (2, 3) or 0 in value.shape or value.dtype.kind not in "uif":
        raise refused("invalid", f"pixels of stream {stream.name!r} are {value.dtype} of shape {value.shape}")
    return value


def _as_shape(said: Any) -> tuple[int, int] | None:
    if isinstance(said, list | tuple) and len(said) >= 2 and all(type(size) is int for size in said[-2:]):
        return (said[-2], said[-1])
    return None
