"""Documents that were lost, made again of a raw run that tiled holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from streamlcn.documents._angles import MonitorAngles
from streamlcn.documents._book import backfilled
from streamlcn.documents._file_places import Named, known_files
from streamlcn.documents._lost import Lost
from streamlcn.documents._orphans import Orphan
from streamlcn.documents._places import path_of_uri
from streamlcn.documents._raw_runs import RawFile, RawRun, RawRuns, RawStream
from streamlcn.documents._run import Run
from streamlcn.documents._streams import Stream, external_of
from streamlcn.documents.settings import DocumentSettings, EventAngle
from streamlcn.errors import FailedScan
from streamlcn.model import FrameKind

__all__ = ["descriptor_documents", "event_documents", "event_times", "resource_documents"]


def descriptor_documents(raw: RawRun, run: Run, orphaned: set[str]) -> Iterator[Named]:
    """Yield descriptors of streams of which none came, and those that ``orphaned`` documents wait for."""
    names = {stream.name for stream in run.streams.values()}
    for stream in raw.streams:
        updates = stream.descriptor.get("_config_updates") or ()
        content = {key: part for key, part in stream.descriptor.items() if key != "_config_updates"}
        for version in (content, *({**content, **update} for update in updates)):
            uid = version.get("uid")
            if uid not in run.streams and (stream.name not in names or uid in orphaned):
                yield "descriptor", {**version, "name": stream.name, "run_start": run.uid}


def event_documents(
    runs: RawRuns, raw: RawRun, run: Run, lost: Sequence[Lost], settings: DocumentSettings
) -> Iterator[Named]:
    """Yield the lost events of ``raw``; their uids are our own. Raises `RawUnreachable`."""
    streams = {stream.name: (uid, stream) for uid, stream in reversed(run.streams.items())}
    stored = {stream.name: stream for stream in raw.streams}
    for one in lost:
        if one.stream not in streams or one.stream not in stored:
            continue
        uid, stream = streams[one.stream]
        is_inline = stream.kind is not None and not stream.external
        wanted = {*one.events, *(one.frames if is_inline else ())}
        if not wanted:
            continue
        rows = runs.rows(stored[one.stream])
        for row, seq_num in enumerate(rows.get("seq_num", ())):
            if seq_num not in wanted:
                continue
            found = _values(runs, stored[one.stream], rows, row, _keys(run, stream, rows, settings))
            if found is not None:
                data, timestamps = found
                yield (
                    "event",
                    {
                        "uid": backfilled(f"{uid}/{row}"),
                        "descriptor": uid,
                        "seq_num": seq_num,
                        "time": rows["time"][row],
                        "data": data,
                        "timestamps": timestamps,
                    },
                )


def event_times(runs: RawRuns, raw: RawRun, run: Run) -> dict[str, dict[int, float]]:
    """Return stream: seq_num: time of the streams of frames in files; empty after a plan took a step back.

    Raises `RawUnreachable`.
    """
    names = {stream.name for stream in run.streams.values() if stream.external}
    found: dict[str, dict[int, float]] = {}
    for stream in raw.streams:
        rows = runs.rows(stream) if stream.name in names else {}
        seq_nums = rows.get("seq_num", ())
        if len(set(seq_nums)) != len(seq_nums):
            return {}
        found[stream.name] = dict(zip(seq_nums, rows.get("time", ()), strict=True))
    return found


def resource_documents(
    raw: RawRun, run: Run, orphans: Sequence[Orphan], settings: DocumentSettings
) -> Iterator[Named]:
    """Yield the documents of files that waiting documents refer to, where it is clear which file is meant."""
    datums = {
        orphan.document["datum_id"]: orphan.document["resource"]
        for orphan in orphans
        if orphan.name == "datum"
    }
    asked: dict[str, tuple[str, set[str]]] = {}
    for orphan in orphans:
        stream = run.streams.get(str(orphan.document.get("descriptor")))
        if stream is None:
            continue
        kind, uid = orphan.waits_for
        if orphan.name == "event" and kind == "datum" and uid in datums:
            asked.setdefault(datums[uid], ("resource", set()))[1].add(stream.name)
        elif orphan.name == "stream_datum" and kind == "stream_resource":
            asked.setdefault(uid, ("stream_resource", set()))[1].add(stream.name)
    for uid, (kind, names) in asked.items():
        rivals = [other for other, (_, theirs) in asked.items() if other != uid and theirs & names]
        candidates = _files(raw, run, names)
        if len(candidates) == 1 and not rivals:
            (data_key, file), *_ = candidates
            yield from _resource(kind, uid, run.uid, data_key, file, settings)


def _files(raw: RawRun, run: Run, names: set[str]) -> set[tuple[str, RawFile]]:
    """Return (data key, file) of the files that streams of these names may have and no document came of."""
    known = known_files(run)
    found: set[tuple[str, RawFile]] = set()
    for stream in run.streams.values():
        for key in (key for key, told in stream.data_keys.items() if external_of(told)):
            if stream.name in names:
                own = {one.files[key] for one in raw.streams if one.name in names and key in one.files}
                found |= {(key, file) for file in own or {one.files[key] for one in raw.streams
                                                          if key in one.files}}  # fmt: skip
    return {(key, file) for key, file in found if (_path(file), file.dataset) not in known}


def _resource(
    kind: str, uid: str, run_uid: str, data_key: str, file: RawFile, settings: DocumentSettings
) -> Iterator[Named]:
    if kind == "stream_resource":
        parameters = {"dataset": file.dataset, "swmr": file.swmr}
        yield (
            "stream_resource",
            {"uid": uid, "run_start": run_uid, "data_key": data_key, "uri": file.uri,
             "mimetype": "application/x-hdf5", "parameters": parameters},
        )  # fmt: skip
        return
    specs = [spec for spec, dataset in settings.files.resource_datasets.items() if dataset == file.dataset]
    path = _path(file)
    if specs and path is not None:
        yield (
            "resource",
            {"uid": uid, "run_start": run_uid, "spec": specs[0], "root": "/",
             "resource_path": path.lstrip("/"), "resource_kwargs": {}},
        )  # fmt: skip


def _keys(
    run: Run, stream: Stream, rows: Mapping[str, Sequence[Any]], settings: DocumentSettings
) -> tuple[set[str], set[str]]:
    """Return the data keys, and the timestamps, without which an event is of no use."""
    if stream.kind is None:
        keys = {name for name in rows if f"ts_{name}" in rows}
        return keys, keys
    keys = set() if stream.external else {stream.image_key}
    stamps: set[str] = set()
    if stream.kind is FrameKind.PROJECTION:
        keys |= {one.key for one in settings.angles if isinstance(one, EventAngle)} & set(stream.data_keys)
        if isinstance(run.angles, MonitorAngles):
            times_key = run.angles.times_key
            keys |= set() if times_key is None else {times_key}
            stamps |= {stream.image_key} if times_key is None else set()
    return keys, stamps


def _values(
    runs: RawRuns,
    stored: RawStream,
    rows: Mapping[str, Sequence[Any]],
    row: int,
    needed: tuple[set[str], set[str]],
) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return (data, timestamps) of one event; None where something is not there."""
    data: dict[str, Any] = {}
    for key in needed[0]:
        array = stored.arrays.get(key)
        if key in rows and rows[key][row] is not None:
            data[key] = rows[key][row]
        elif array is not None and array.shape[0] == len(rows["seq_num"]):
            data[key] = _as_counts(runs.row_of(array, row))
        else:
            return None
    timestamps = {key: rows[f"ts_{key}"][row] for key in needed[1] if f"ts_{key}" in rows}
    return (data, timestamps) if len(timestamps) == len(needed[1]) else None


def _as_counts(found: Any) -> Any:
    """Return whole numbers as uint16: the writer stores pixels of no stated type as float64."""
    if found.dtype == np.float64 and found.ndim > 1:
        counts = found.astype(np.uint16, casting="unsafe") if _is_counts(found) else None
        return found if counts is None else counts
    return found


def _is_counts(found: Any) -> bool:
    return bool(np.all((found >= 0) & (found <= 65_535) & (found == np.floor(found))))


def _path(file: RawFile) -> str | None:
    try:
        return path_of_uri(file.uri)
    except FailedScan:
        return None
