"""Segments, records and cursors: what the files of a journal hold.

A segment ``segment-00000000000000000007.journal`` begins with eight bytes that name the format. A record is
a header (marker, length, time, checksum of the payload, checksum of the header) and the payload. The marker
lets a reader find the next record after bytes that are broken.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

__all__ = [
    "HEADER_BYTES",
    "MARKER",
    "PREAMBLE",
    "Cursor",
    "JournalRecord",
    "headed",
    "read_header",
    "segment_numbers",
    "segment_path",
]

PREAMBLE = b"SLCNJN1\n"
MARKER = b"\xf7SJ\x1e"
_FIELDS = struct.Struct("<4sIdI")
_CHECK = struct.Struct("<I")
HEADER_BYTES = _FIELDS.size + _CHECK.size
_NAME = re.compile(r"segment-(\d{20})\.journal")


@dataclass(frozen=True, slots=True, order=True)
class Cursor:
    """A place in a journal: byte ``offset`` of segment ``segment``. Cursors are ordered as records are."""

    segment: int = 0
    offset: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalRecord:
    """One record: the message as it came, when (seconds since the epoch), where it begins and ends."""

    payload: bytes
    time_s: float
    start: Cursor
    end: Cursor


def headed(payload: bytes, time_s: float) -> bytes:
    """Return the header of a record."""
    fields = _FIELDS.pack(MARKER, len(payload), time_s, crc32(payload))
    return fields + _CHECK.pack(crc32(fields))


def read_header(header: bytes) -> tuple[int, float, int] | None:
    """Return (length, time, checksum of the payload), or None when these bytes are no header."""
    fields = header[: _FIELDS.size]
    if len(header) != HEADER_BYTES or _CHECK.unpack(header[_FIELDS.size :])[0] != crc32(fields):
        return None
    marker, length, time_s, checksum = _FIELDS.unpack(fields)
    return (length, time_s, checksum) if marker == MARKER else None


def segment_path(directory: Path, number: int) -> Path:
    """Return where segment ``number`` is."""
    return directory / f"segment-{number:020d}.journal"


def segment_numbers(directory: Path) -> list[int]:
    """Return the numbers of the segments there are, in order."""
    matches = (_NAME.fullmatch(path.name) for path in directory.iterdir())
    return sorted(int(match[1]) for match in matches if match)
