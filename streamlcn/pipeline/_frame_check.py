"""Frames that cannot be used, or not be believed: set aside or noted, never silently averaged in."""

from __future__ import annotations

import numpy as np

from streamlcn.errors import UnreadableFrame
from streamlcn.model import FrameKind, FrameRef, Pixels
from streamlcn.ports import FrameReader, Telemetry

__all__ = ["FrameCheck"]

_NAMED = 5
_MOST_IN_A_ROW = 3
_SATURATED_SHARE = 0.01


class FrameCheck:
    """Reads one scan's frames and remembers what was wrong with them.

    A projection that cannot be read, or that holds values that are not numbers, is set aside: the scan goes
    on without it and becomes partial. Three in a row that cannot be read end the scan: its file is out of
    reach, and each costs the reader's whole patience.
    """

    def __init__(self, frames: FrameReader, telemetry: Telemetry) -> None:
        self._frames, self._telemetry = frames, telemetry
        self._in_a_row = 0
        self._reasons: list[str] = []
        self._saturated = dict.fromkeys(FrameKind, 0)

    @property
    def set_aside(self) -> int:
        """How many projections could not be used."""
        return len(self._reasons)

    def read(self, ref: FrameRef) -> Pixels:
        """Return the pixels of a frame that must be there; raises `UnreadableFrame`."""
        pixels = self._frames.read(ref)
        if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
            row, column = np.argwhere(~np.isfinite(pixels))[0]
            raise UnreadableFrame(
                f"scan {ref.scan_uid}: {ref.kind.name.lower()} {ref.index} holds {pixels[row, column]} at "
                f"row {row}, column {column}"
            )
        if pixels.dtype == np.uint16:
            saturated = int(np.count_nonzero(pixels == np.iinfo(np.uint16).max))
            self._saturated[ref.kind] += int(saturated > _SATURATED_SHARE * pixels.size)
        return pixels

    def read_or_set_aside(self, ref: FrameRef) -> Pixels | None:
        """Return the pixels of a projection, or None for one that the scan goes on without."""
        try:
            pixels = self.read(ref)
        except UnreadableFrame as error:
            self._reasons.append(str(error))
            self._telemetry.count("frames_missing", reason="corrupt")
            self._in_a_row += 1
            if self._in_a_row == _MOST_IN_A_ROW:
                raise
            return None
        self._in_a_row = 0
        return pixels

    def warnings(self) -> list[str]:
        """Return what a result has to say about its frames."""
        texts = list(self._reasons[:_NAMED])
        if more := len(self._reasons) - _NAMED:
            texts += [f"{more} more projections could not be used"] if more > 0 else []
        for kind, count in self._saturated.items():
            if count:
                texts.append(
                    f"{count} {kind.name.lower()}(s) have more than {_SATURATED_SHARE:.0%} of saturated "
                    "pixels: shorten the exposure"
                )
        return texts
