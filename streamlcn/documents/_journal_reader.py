"""Read the journal while it is being written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO
from zlib import crc32

from streamlcn.documents._journal_format import (
    HEADER_BYTES,
    MARKER,
    PREAMBLE,
    Cursor,
    JournalRecord,
    read_header,
    segment_numbers,
    segment_path,
)

__all__ = ["JournalReader"]

_SCAN_BYTES = 2**20


class JournalReader:
    """Follows a journal from a cursor on; the writer may be another process.

    What is not wholly written yet is waited for. What is broken is skipped up to the next whole record and
    counted in ``corrupted``; what a crash cut off at the end of a segment is skipped and counted in ``torn``.
    Segments that retention took away before they were read are counted in ``lost_segments``.
    """

    def __init__(self, directory: Path, cursor: Cursor | None = None) -> None:
        self.directory = directory
        self._cursor = cursor or Cursor()
        self._file: BinaryIO | None = None
        self._is_searching = False
        self.corrupted = 0
        self.torn = 0
        self.lost_segments = 0

    @property
    def cursor(self) -> Cursor:
        """Where the next record is looked for."""
        return self._cursor

    def __enter__(self) -> JournalReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __iter__(self) -> Iterator[JournalRecord]:
        """Yield what is there now."""
        while (record := self.read()) is not None:
            yield record

    def read(self) -> JournalRecord | None:
        """Return the next record, or None when there is no further one yet. Does not wait."""
        while self._open():
            is_last = self._next_segment() is None  # asked before reading: a later record comes after this
            record = self._record_here()
            if record is not None:
                self._cursor = record.end
                self._is_searching = False
                return record
            if is_last:
                return None
            self._leave_segment()
        return None

    def close(self) -> None:
        """Close the file; may be called twice."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> bool:
        """Have the segment of the cursor open; False when there is none yet."""
        if self._file is not None:
            return True
        try:
            self._file = segment_path(self.directory, self._cursor.segment).open("rb")
        except FileNotFoundError:
            after = self._next_segment()
            if after is None:
                return False
            if self._cursor.segment:
                self.lost_segments += after - self._cursor.segment
            self._cursor = Cursor(after, 0)
            return self._open()
        return True

    def _next_segment(self) -> int | None:
        try:
            numbers = segment_numbers(self.directory)
        except FileNotFoundError:
            return None
        return min((number for number in numbers if number > self._cursor.segment), default=None)

    def _leave_segment(self) -> None:
        """Go on to the next segment; this one will not grow any more."""
        assert self._file is not None
        if self._file.seek(0, 2) > self._cursor.offset and not self._is_searching:
            self.torn += 1
        following = self._next_segment()
        self.close()
        self._is_searching = False
        self._cursor = Cursor(following or self._cursor.segment + 1, 0)

    def _record_here(self) -> JournalRecord | None:
        """Return the record at the cursor, or the next whole one; None at the end of what is written."""
        assert self._file is not None
        if self._cursor.offset < len(PREAMBLE):
            self._cursor = Cursor(self._cursor.segment, len(PREAMBLE))
        while True:
            offset = self._cursor.offset
            self._file.seek(offset)
            raw = self._file.read(HEADER_BYTES)
            if len(raw) < HEADER_BYTES:
                return None
            header = read_header(raw)
            if header is not None:
                length, time_s, checksum = header
                payload = self._file.read(length)
                if len(payload) < length:
                    return None
                end = Cursor(self._cursor.segment, offset + HEADER_BYTES + length)
                if crc32(payload) == checksum:
                    return JournalRecord(payload=payload, time_s=time_s, start=self._cursor, end=end)
                self._cursor = end
                self.corrupted += 1
                self._is_searching = False
            elif not self._search(offset + 1):
                return None

    def _search(self, offset: int) -> bool:
        """Move the cursor to the next marker; False when there is none yet, at the end of what is written."""
        assert self._file is not None
        if not self._is_searching:
            self.corrupted += 1
            self._is_searching = True
        while True:
            self._file.seek(offset)
            block = self._file.read(_SCAN_BYTES)
            found = block.find(MARKER)
            if found >= 0:
                self._cursor = Cursor(self._cursor.segment, offset + found)
                return True
            if len(block) < _SCAN_BYTES:
                self._cursor = Cursor(
                    self._cursor.segment, max(offset, offset + len(block) - len(MARKER) + 1) - 1
                )
                return False
            offset += len(block) - len(MARKER) + 1
