"""References to frames become pixels."""

from streamlcn.frames._make import make_frame_reader
from streamlcn.frames.settings import FrameSettings

__all__ = ["FrameSettings", "make_frame_reader"]
