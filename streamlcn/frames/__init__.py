"""References to frames become pixels."""

from streamlcn.frames._reader import LiveFrameReader, make_frame_reader
from streamlcn.frames.settings import FrameSettings

__all__ = ["FrameSettings", "LiveFrameReader", "make_frame_reader"]
