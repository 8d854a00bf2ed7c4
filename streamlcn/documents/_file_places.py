"""Documents for frames that are in a detector's file but whose own documents were lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from streamlcn.documents._assets import Asset
from streamlcn.documents._book import backfilled
from streamlcn.documents._lost import Lost, expected_events
from streamlcn.documents._places import path_of_uri
from streamlcn.documents._placing import Slot, placed, ranges
from streamlcn.documents._raw_runs import RawFile, RawRun
from streamlcn.documents._run import Run
from streamlcn.errors import BadDocument, FailedScan

__all__ = ["Named", "Times", "file_documents", "known_files"]

Named = tuple[str, Mapping[str, Any]]
"""(name, document)."""
Times = Mapping[str, Mapping[int, float]]


@dataclass(slots=True, kw_only=True)
class _Use:
    """One file, by path and dataset, and what is known of the frames in it."""

    data_key: str
    path: str
    dataset: str
    swmr: bool
    per_point: int | None = None
    stream_resource: str | None = None  # a stream_resource that came, to refer to
    resource: str | None = None  # a resource of the older kind that came
    known: dict[int, Slot] = field(default_factory=dict)


def known_files(run: Run) -> set[tuple[str, str]]:
    """Return (path, dataset) of the files whose documents came."""
    return {(asset.path, asset.dataset) for _, asset in _assets(run)}


def file_documents(
    run: Run,
    lost: Sequence[Lost],
    raw: RawRun | None,
    times: Times,
    waiting: Mapping[Slot, str],
    length_of: Callable[[str, str], int | None],
) -> Iterator[Named]:
    """Yield documents that tell where lost frames, and lost values of angles, are in their files.

    Parameters
    ----------
    raw
        The run as tiled has it, which may know files whose documents were lost.
    times
        Stream: seq_num: time of events that tiled has.
    waiting
        Events that came and wait for their datum: slot: datum id.
    length_of
        Returns the first axis of (path, dataset), None where that cannot be read.
    """
    angle_key = None if run.angles is None else run.angles.stream_key
    uses = list(_uses(run, raw, angle_key))
    for use in uses:
        siblings = [other for other in uses if other.data_key == use.data_key]
        names = _streams_on(run, use, siblings, raw)
        wanted = {
            (one.stream, seq)
            for one in lost
            for seq in (one.values if use.data_key == angle_key else one.frames)
            if one.stream in names
        }
        if wanted:
            yield from _told(run, use, _found(run, use, names, times, length_of), wanted, waiting)


def _assets(run: Run) -> Iterator[tuple[str, Asset]]:
    for uid in run.resources:
        try:
            yield uid, run.asset(uid)
        except (FailedScan, BadDocument):
            continue


def _uses(run: Run, raw: RawRun | None, angle_key: str | None) -> Iterator[_Use]:
    image_keys = {stream.image_key for stream in run.streams.values() if stream.kind is not None}
    image_key = next(iter(image_keys), "") if len(image_keys) == 1 else ""
    found: dict[tuple[str, str, str], _Use] = {}
    for uid, asset in _assets(run):
        data_key = asset.data_key or image_key
        use = _Use(
            data_key=data_key, path=asset.path, dataset=asset.dataset, swmr=asset.swmr,
            per_point=asset.per_point,
        )  # fmt: skip
        use = found.setdefault((data_key, asset.path, asset.dataset), use)
        use.known |= run.places.get(uid, {})
        if asset.data_key:
            use.stream_resource = uid
        else:
            use.resource = uid
    for stream in raw.streams if raw is not None else ():
        for data_key, file in stream.files.items():
            path = _path(file)
            if path is not None:
                use = _Use(data_key=data_key, path=path, dataset=file.dataset, swmr=file.swmr)
                found.setdefault((data_key, path, file.dataset), use)
    wanted = {*image_keys, angle_key} - {"", None}
    return (use for use in found.values() if use.data_key in wanted)


def _streams_on(run: Run, use: _Use, siblings: Sequence[_Use], raw: RawRun | None) -> set[str]:
    """Return the streams whose frames are in this file, where there is no doubt."""
    having = {
        stream.name
        for stream in run.streams.values()
        if stream.data_keys.get(use.data_key, {}).get("external")
    }
    if len(siblings) == 1:
        return having
    owners: dict[str, set[int]] = {}
    for number, one in enumerate(siblings):
        for name, _ in one.known.values():
            owners.setdefault(name, set()).add(number)
    for stream in raw.streams if raw is not None else ():
        file = stream.files.get(use.data_key)
        for number, one in enumerate(siblings):
            if file is not None and (_path(file), file.dataset) == (one.path, one.dataset):
                owners.setdefault(stream.name, set()).add(number)
    mine = next(number for number, one in enumerate(siblings) if one is use)
    return {name for name in having if owners.get(name) == {mine}}


def _found(
    run: Run,
    use: _Use,
    names: set[str],
    times: Times,
    length_of: Callable[[str, str], int | None],
) -> dict[int, Slot]:
    known, expected = use.known, expected_events(run)
    arrived = set(known.values())
    missing = {
        name: [seq for seq in range(1, expected.get(name, 0) + 1) if (name, seq) not in arrived]
        for name in names
    }
    per_event = {
        use.per_point or stream.per_event or 1 for stream in run.streams.values() if stream.name in names
    }
    if len(per_event) != 1:
        return {}
    length = length_of(use.path, use.dataset) if run.stop is not None else None
    each = per_event.pop()
    events = None if length is None or length % each else length // each
    return placed(known, missing, events, _order(run, names, expected, known, times))


def _order(
    run: Run, names: set[str], expected: Mapping[str, int], known: Mapping[int, Slot], stored: Times
) -> list[Slot] | None:
    """Return all slots by the times of their events; a stream without events is one block at its beginning.

    None where a time is not known, and where nothing confirms the place of a block.
    """
    seen = {name for name, _ in known.values()}
    timed: list[tuple[float, int, Slot]] = []
    for place, stream in enumerate(run.streams.values()):
        if stream.name not in names:
            continue
        times = {**stored.get(stream.name, {}), **run.events.get(stream.name, {})}
        count = expected.get(stream.name, 0)
        if not times and stream.time_s is not None and stream.name in seen:
            times = dict.fromkeys(range(1, count + 1), stream.time_s)
        if any(seq not in times for seq in range(1, count + 1)):
            return None
        timed += [(times[seq], place, (stream.name, seq)) for seq in range(1, count + 1)]
    return [slot for _, _, slot in sorted(timed)]


def _told(
    run: Run, use: _Use, found: Mapping[int, Slot], wanted: set[Slot], waiting: Mapping[Slot, str]
) -> Iterator[Named]:
    found = {index: slot for index, slot in found.items() if slot in wanted}
    for index, slot in list(found.items()):
        if use.resource is not None and slot in waiting:
            kwargs = {"point_number": index}
            del found[index]
            yield (
                "datum",
                {"datum_id": waiting[slot], "resource": use.resource, "datum_kwargs": kwargs},
            )
    if not found:
        return
    uid = use.stream_resource
    if uid is None:
        uid = backfilled(f"{run.uid}/{use.data_key}{use.path}:{use.dataset}")[-500:]
        yield (
            "stream_resource",
            {
                "uid": uid,
                "run_start": run.uid,
                "data_key": use.data_key,
                "mimetype": "application/x-hdf5",
                "uri": f"file://localhost{quote(use.path)}",
                "parameters": {"dataset": use.dataset, "swmr": use.swmr},
            },
        )
    descriptors = {stream.name: descriptor for descriptor, stream in reversed(run.streams.items())}
    for index, name, seq, count in ranges(found):
        yield (
            "stream_datum",
            {
                "uid": backfilled(f"{uid[-400:]}/{index}"),
                "stream_resource": uid,
                "descriptor": descriptors[name],
                "indices": {"start": index, "stop": index + count},
                "seq_nums": {"start": seq, "stop": seq + count},
            },
        )


def _path(file: RawFile) -> str | None:
    try:
        return path_of_uri(file.uri)
    except FailedScan:
        return None
