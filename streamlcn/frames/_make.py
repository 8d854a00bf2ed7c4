"""From settings to a reader; HDF5 is loaded only then."""

from __future__ import annotations

import time
from collections.abc import Callable

from streamlcn.frames.settings import FrameSettings
from streamlcn.ports import Clock, FrameReader

__all__ = ["make_frame_reader"]


def make_frame_reader(
    settings: FrameSettings, *, clock: Clock = time.monotonic, sleep: Callable[[float], None] = time.sleep
) -> FrameReader:
    """Return a reader of frames; ``clock`` and ``sleep`` are what it waits by."""
    from streamlcn.frames._reader import LiveFrameReader

    return LiveFrameReader(settings, clock, sleep)
