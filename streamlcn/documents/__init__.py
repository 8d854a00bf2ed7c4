"""Documents of a bluesky RunEngine: received, decoded without trust, journaled, assembled to scans."""

from streamlcn.documents._checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from streamlcn.documents._journal_format import Cursor, JournalRecord
from streamlcn.documents._journal_reader import JournalReader
from streamlcn.documents._journal_writer import JournalFull, JournalState, JournalWriter
from streamlcn.documents._refused import reason_of
from streamlcn.documents._state import SourceState
from streamlcn.documents._wire import decode, encode
from streamlcn.documents._zmq_source import Received, ZmqSource

__all__ = [
    "Checkpoint",
    "Cursor",
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
    "reason_of",
    "save_checkpoint",
]
