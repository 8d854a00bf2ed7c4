"""Documents of a bluesky RunEngine: received, decoded without trust, journaled, assembled to scans."""

from streamlcn.documents._refused import reason_of
from streamlcn.documents._state import SourceState
from streamlcn.documents._wire import decode, encode
from streamlcn.documents._zmq_source import Received, ZmqSource

__all__ = ["Received", "SourceState", "ZmqSource", "decode", "encode", "reason_of"]
