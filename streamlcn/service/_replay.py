"""Scans that are over, as the updates that a live scan gives: the rest of the way is the same."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path

from streamlcn.documents import Assembler, Backfill, JournalReader, decode
from streamlcn.documents.settings import DecodeLimits
from streamlcn.errors import BadDocument, BadInput, FailedScan
from streamlcn.model import (
    Completeness,
    FrameKind,
    FrameRef,
    FramesReady,
    ReferenceReady,
    ScanEnded,
    ScanStarted,
    ScanUpdate,
)
from streamlcn.service._file_scan import FileScan

__all__ = ["updates_of_file", "updates_of_journal", "updates_of_raw_run"]

_AT_A_TIME = 16
_REFERENCES = (FrameKind.FLAT, FrameKind.DARK)
_ROUND_S = 5.0  # of the assembler's own time: nobody waits
_MOST_ROUNDS = 400
_HASH_BLOCK = 2**20


def updates_of_journal(
    directory: Path, assembler: Assembler, limits: DecodeLimits, backfill: Backfill, *, uid: str | None = None
) -> Iterator[tuple[ScanUpdate, float]]:
    """Yield each update of a journal's scans with the time its document came; of run ``uid`` alone if given.

    ``backfill`` is that of ``assembler``: what was lost on the wire is had again as in a live scan. Raises
    `BadInput` for a folder without a journal. The journal may be in use: what is there now is read.
    """
    if not any(directory.glob("segment-*.journal")):
        raise BadInput(f"{directory} holds no journal: give the folder with the files segment-*.journal")
    for update, time_s in _of_all_scans(directory, assembler, limits, backfill):
        if uid is None or _uid_of(update) == uid:
            yield update, time_s


def _of_all_scans(
    directory: Path, assembler: Assembler, limits: DecodeLimits, backfill: Backfill
) -> Iterator[tuple[ScanUpdate, float]]:
    latest_s = 0.0

    def at(time_s: float, updates: Iterable[ScanUpdate]) -> Iterator[tuple[ScanUpdate, float]]:
        return ((update, time_s) for update in updates)

    with JournalReader(directory) as reader:
        for record in reader:
            latest_s = max(latest_s, record.time_s)
            try:
                name, document = decode(record.payload, limits)
            except BadDocument:
                continue
            yield from at(record.time_s, backfill.step(record.time_s))
            yield from at(record.time_s, assembler.handle(name, document, record.time_s, record.start))
    for now_s in _rounds(latest_s):
        if not assembler.open_runs():
            break
        yield from at(latest_s, backfill.step(now_s))
        yield from at(latest_s, assembler.expire(now_s))
    yield from at(latest_s, assembler.expire(float("inf")))


def updates_of_raw_run(uid: str, assembler: Assembler, backfill: Backfill) -> Iterator[ScanUpdate]:
    """Yield the updates of a run that tiled holds as bluesky's TiledWriter stores it.

    ``backfill`` is that of ``assembler``. Raises `BadInput` for a run that is not there, `FailedScan` when
    tiled does not answer any more.
    """
    yield from backfill.fetch(uid, 0.0)
    for now_s in _rounds(0.0):
        if not assembler.has_run(uid):
            break
        yield from backfill.step(now_s)
        if backfill.state.unreachable is not None:
            raise FailedScan(f"scan {uid}: {backfill.state.unreachable}")
        yield from assembler.expire(now_s)
    yield from assembler.expire(float("inf"))


def _rounds(from_s: float) -> Iterator[float]:
    """Yield moments of the assembler's time after ``from_s``."""
    return (from_s + count * _ROUND_S for count in range(1, _MOST_ROUNDS + 1))


def updates_of_file(file: FileScan, *, uid: str | None = None) -> Iterator[ScanUpdate]:
    """Yield the updates of a stored scan.

    ``uid`` is by default made of the file's SHA-256, so that the same file is the same scan everywhere.
    Raises `BadInput` when nobody says how large a voxel is.
    """
    if file.voxel_size_um is None:
        raise BadInput(f"{file.path} says no voxel size: give --voxel-size-um")
    uid = uid or f"file-{_digest(file.path)[:24]}"

    def named(kind: FrameKind) -> Iterator[FrameRef]:
        return (replace(ref, scan_uid=uid) for ref in file.refs(kind))

    flats, darks = (() if file.scan.is_line_integral else tuple(named(kind)) for kind in _REFERENCES)
    plan = {"plan_name": f"{file.format} file", "stored_scan": file.path.name}
    yield ScanStarted(scan=replace(file.scan, uid=uid, assumptions=tuple(file.assumptions), plan=plan))
    yield ReferenceReady(scan_uid=uid, flats=flats, darks=darks)
    projections = named(FrameKind.PROJECTION)
    count = 0
    while refs := tuple(islice(projections, _AT_A_TIME)):
        count += len(refs)
        yield FramesReady(scan_uid=uid, refs=refs)
    completeness = Completeness(
        projections_expected=count, projections_received=count, projections_used=count
    )
    yield ScanEnded(scan_uid=uid, outcome="success", reason="", completeness=completeness)


def _uid_of(update: ScanUpdate) -> str:
    return update.scan.uid if isinstance(update, ScanStarted) else update.scan_uid


def _digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_HASH_BLOCK):
            digest.update(block)
    return digest.hexdigest()
