"""References become pixels, with a bounded wait for what a detector has announced but not flushed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy.typing as npt

from streamlcn.errors import UnreadableFrame
from streamlcn.frames._files import NotYet, OpenFiles
from streamlcn.frames._pixels import as_pixels
from streamlcn.frames.settings import FrameSettings
from streamlcn.model import FileSource, FrameRef, InlineSource, Pixels
from streamlcn.ports import Clock

__all__ = ["LiveFrameReader"]


class LiveFrameReader:
    """Reads frames from documents and from HDF5 files that may still be growing. For one thread."""

    def __init__(self, settings: FrameSettings, clock: Clock, sleep: Callable[[float], None]) -> None:
        self._settings, self._clock, self._sleep = settings, clock, sleep
        self._files = OpenFiles(settings.open_files)

    def read(self, ref: FrameRef) -> Pixels:
        """Return (row, column) uint16 or float32; raises `UnreadableFrame` after the settings' timeout."""
        source, where = ref.source, _name(ref)
        if isinstance(source, InlineSource):
            return as_pixels(source.pixels, f"{where}, in its document,")
        return as_pixels(self._wait(source, where), f"{where} in {source.path}:{source.dataset}")

    def close(self) -> None:
        """Close every file; may be called twice."""
        self._files.close()

    def _wait(self, source: FileSource, where: str) -> npt.NDArray[Any]:
        if source.index < 0:
            raise UnreadableFrame(f"{where}: frame {source.index} of {source.path} cannot exist")
        started = self._clock()
        while True:
            found = self._look(source)
            if not isinstance(found, str):
                return found
            waited = self._clock() - started
            if waited >= self._settings.timeout_s:
                raise UnreadableFrame(
                    f"{where} should be frame {source.index} of {source.path}:{source.dataset}, but after "
                    f"{waited:.1f} s: {found}. Is the detector's file writer running, and is its folder "
                    "mounted here?"
                )
            self._sleep(min(self._settings.poll_s, self._settings.timeout_s - waited))

    def _look(self, source: FileSource) -> npt.NDArray[Any] | str:
        """Return the frame, or why it is not there yet."""
        modes = {"auto": (source.swmr, not source.swmr), "always": (True,), "never": (False,)}
        reasons = []
        for swmr in modes[self._settings.swmr]:
            try:
                return self._files.frame(source.path, source.dataset, source.index, swmr=swmr)
            except NotYet as not_yet:
                reasons.append(str(not_yet))
        return "; ".join(dict.fromkeys(reasons))


def _name(ref: FrameRef) -> str:
    return f"scan {ref.scan_uid}: {ref.kind.name.lower()} {ref.index}"
