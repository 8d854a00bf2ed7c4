"""Append documents to the journal before anybody uses them."""

from __future__ import annotations

import fcntl
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from streamlcn.documents._checkpoint import checkpoints
from streamlcn.documents._journal_format import PREAMBLE, Cursor, headed, segment_numbers, segment_path
from streamlcn.documents.settings import JournalSettings
from streamlcn.errors import BadInput, StreamLCNError

__all__ = ["JournalFull", "JournalState", "JournalWriter"]

_MB, _GB, _DAY = 1e6, 1e9, 86_400.0


class JournalFull(StreamLCNError, OSError):
    """The disk did not take a document. What was written before is whole; appending can be tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalState:
    """How the journal is doing.

    ``waiting_bytes`` are in segments that some reader has not passed: retention never deletes those.
    """

    segments: int
    total_bytes: int
    waiting_bytes: int
    free_bytes: int
    is_nearly_full: bool
    is_over_limit: bool


class JournalWriter:
    """The one writer of a journal's directory. Each start begins a new segment: a torn end stays as it is.

    Parameters
    ----------
    wall
        Seconds since the epoch, for the times of records and the age of segments.
    clock
        Seconds that only grow, for the interval of fsync.
    """

    def __init__(
        self,
        directory: Path,
        settings: JournalSettings | None = None,
        *,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Create what is missing; raises `BadInput` when another process writes there."""
        self.directory = directory
        self._settings = settings or JournalSettings()
        self._wall, self._clock = wall, clock
        directory.mkdir(parents=True, exist_ok=True)
        self._lock = _locked(directory)
        self._number = max(segment_numbers(directory), default=0)
        self._handle = -1
        self._offset = 0
        self._synced_s = clock()
        self._is_dirty = False
        try:
            self._rotate()
        except BaseException:
            os.close(self._lock)
            raise

    def __enter__(self) -> JournalWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def end(self) -> Cursor:
        """Where the next record will begin."""
        return Cursor(self._number, self._offset)

    @property
    def state(self) -> JournalState:
        """How large it is, how much of it is still needed, and how much room there is."""
        sizes = self._sizes()
        passed = self._passed_segment()
        total = sum(sizes.values())
        free = shutil.disk_usage(self.directory).free
        return JournalState(
            segments=len(sizes),
            total_bytes=total,
            waiting_bytes=sum(size for number, size in sizes.items() if number >= passed),
            free_bytes=free,
            is_nearly_full=free < self._settings.min_free_gb * _GB,
            is_over_limit=total > self._settings.keep_gb * _GB,
        )

    def append(self, payload: bytes) -> Cursor:
        """Write one record; returns the cursor behind it. Raises `JournalFull`."""
        record = headed(payload, self._wall()) + payload
        if self._offset + len(record) > self._settings.segment_mb * _MB and self._offset:
            self._rotate()
        try:
            self._write(record)
        except JournalFull:
            if not self.prune():
                raise
            self._write(record)
        if self._settings.fsync == "always":
            self.sync()
        elif self._settings.fsync == "interval":
            self.tick()
        return self.end

    def tick(self) -> None:
        """Call it now and then while nothing comes: fsync when it is due."""
        due = self._clock() - self._synced_s >= self._settings.fsync_interval_s
        if self._settings.fsync == "interval" and self._is_dirty and due:
            self.sync()

    def sync(self) -> None:
        """Wait until the disk has everything."""
        if self._is_dirty:
            os.fdatasync(self._handle)
        self._is_dirty = False
        self._synced_s = self._clock()

    def prune(self) -> list[Path]:
        """Delete segments that every reader has passed, oldest first; returns their paths.

        They go while there is more than ``keep_gb``, when they are older than ``keep_days``, and while less
        than ``min_free_gb`` is free on the disk. A reader is whoever keeps a checkpoint here; as long as
        there is none, nothing is deleted.
        """
        sizes, passed = self._sizes(), self._passed_segment()
        total, free, deleted = sum(sizes.values()), shutil.disk_usage(self.directory).free, []
        for number in sorted(sizes):
            path = segment_path(self.directory, number)
            age_s = self._wall() - path.stat().st_mtime
            is_due = total > self._settings.keep_gb * _GB or age_s > self._settings.keep_days * _DAY
            is_due = is_due or free < self._settings.min_free_gb * _GB
            if number >= min(passed, self._number) or not is_due:
                break
            path.unlink()
            total, free = total - sizes[number], free + sizes[number]
            deleted.append(path)
        return deleted

    def close(self) -> None:
        """Sync and let go of the directory; may be called twice."""
        if self._handle >= 0:
            self.sync()
            os.close(self._handle)
            os.close(self._lock)
            self._handle = -1

    def _write(self, record: bytes) -> None:
        """Write all of it, or leave the file as it was."""
        if self._offset == 0:
            record = PREAMBLE + record
        view = memoryview(record)
        self._is_dirty = True
        try:
            while view:
                view = view[os.write(self._handle, view) :]
        except OSError as error:
            os.ftruncate(self._handle, self._offset)
            raise JournalFull(
                f"cannot write to the journal in {self.directory} ({error}): make room on its disk"
            ) from error
        self._offset += len(record)

    def _rotate(self) -> None:
        path = segment_path(self.directory, self._number + 1)
        try:
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o640)
        except OSError as error:
            raise JournalFull(f"cannot begin {path} ({error}): make room on its disk") from error
        if self._handle >= 0:
            self.sync()
            os.close(self._handle)
        self._handle, self._number, self._offset = handle, self._number + 1, 0
        self.prune()

    def _sizes(self) -> dict[int, int]:
        numbers = segment_numbers(self.directory)
        return {number: segment_path(self.directory, number).stat().st_size for number in numbers}

    def _passed_segment(self) -> int:
        """The first segment that some reader still needs; 0 when no reader ever said."""
        return min((found.cursor.segment for found in checkpoints(self.directory)), default=0)


def _locked(directory: Path) -> int:
    handle = os.open(directory / "writer.lock", os.O_CREAT | os.O_RDWR, 0o640)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise BadInput(
            f"another process writes the journal in {directory}: is the daemon running already?"
        ) from error
    return handle
