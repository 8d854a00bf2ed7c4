"""Documents of a bluesky RunEngine: received, decoded without trust, journaled, assembled to scans."""

from streamlcn.documents._assembler import Assembler, AssemblerState
from streamlcn.documents._assets import FileValues
from streamlcn.documents._checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from streamlcn.documents._journal_format import Cursor, JournalRecord
from streamlcn.documents._journal_reader import JournalReader
from streamlcn.documents._journal_writer import JournalFull, JournalState, JournalWriter
from streamlcn.documents._refused import reason_of
from streamlcn.documents._state import SourceState
from streamlcn.documents._value_reader import make_value_reader
from streamlcn.documents._wire import decode, encode
from streamlcn.documents._zmq_source import Received, ZmqSource

__all__ = [
    "Assembler",
    "AssemblerState",
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
    "make_value_reader",
    "reason_of",
    "save_checkpoint",
]
