"""Documents of a bluesky RunEngine: received, decoded without trust, journaled, assembled to scans.

Importing this package does not load 0MQ; asking it for `ZmqSource` does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streamlcn.documents._assembler import Assembler, AssemblerState
from streamlcn.documents._assets import FileValues
from streamlcn.documents._backfill import Backfill, BackfillState, make_backfill
from streamlcn.documents._checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from streamlcn.documents._journal_format import Cursor, JournalRecord
from streamlcn.documents._journal_reader import JournalReader
from streamlcn.documents._journal_writer import JournalFull, JournalState, JournalWriter
from streamlcn.documents._refused import reason_of
from streamlcn.documents._state import SourceState
from streamlcn.documents._value_reader import make_value_reader
from streamlcn.documents._wire import decode, encode

if TYPE_CHECKING:
    from streamlcn.documents._zmq_source import Received, ZmqSource

__all__ = [
    "Assembler",
    "AssemblerState",
    "Backfill",
    "BackfillState",
    "Checkpoint",
    "Cursor",
    "FileValues",
    "JournalFull",
    "JournalReader",
    "JournalRecord",
    "JournalState",
    "JournalWriter",
    "Received",
    "SourceState",
    "ZmqSource",
    "decode",
    "encode",
    "load_checkpoint",
    "make_backfill",
    "make_value_reader",
    "reason_of",
    "save_checkpoint",
]


def __getattr__(name: str) -> Any:
    if name in ("Received", "ZmqSource"):
        from streamlcn.documents import _zmq_source

        return getattr(_zmq_source, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
