"""Frames that cannot be used, or not be believed: set aside or noted, never silently averaged in."""

from __future__ import annotations

import numpy as np

from streamlcn.errors import UnreadableFrame
from streamlcn.model import FrameKind, FrameRef, Pixels, Reference
from streamlcn.ports import FrameReader, Telemetry

__all__ = ["FrameCheck"]

_NAMED = 5
_MOST_IN_A_ROW = 3
_SATURATED_SHARE = 0.01
_BURNT_OUT_SHARE = 0.5
_LEAST_LIGHT = 0.001  # of the flat


class FrameCheck:
    """Reads one scan's frames and remembers what was wrong with them.

    A projection that cannot be read, that holds values that are not numbers, or that shows no light or
    nothing but saturated pixels, is set aside: the scan goes on without it and becomes partial. Three in a
    row that cannot be read end the scan: its file is out of reach, and each costs the whole patience.
    """

    def __init__(self, frames: FrameReader, telemetry: Telemetry) -> None:
        self._frames, self._telemetry = frames, telemetry
        self._in_a_row = 0
        self._reasons: list[str] = []
        self._saturated = dict.fromkeys(FrameKind, 0)
        self._least_mean: float | None = None

    @property
    def set_aside(self) -> int:
        """How many projections could not be used."""
        return len(self._reasons)

    def know(self, reference: Reference) -> None:
        """Learn how bright the beam is."""
        dark, flat = float(reference.dark.mean()), float(reference.flat.mean())
        self._least_mean = dark + _LEAST_LIGHT * (flat - dark)

    def read(self, ref: FrameRef) -> Pixels:
        """Return the pixels of a frame that must be there; raises `UnreadableFrame`."""
        return self._read(ref)[0]

    def read_or_set_aside(self, ref: FrameRef) -> Pixels | None:
        """Return the pixels of a projection, or None for one that the scan goes on without."""
        try:
            pixels, saturated = self._read(ref)
        except UnreadableFrame as error:
            self._in_a_row += 1
            if self._in_a_row == _MOST_IN_A_ROW:
                raise
            self._set_aside(str(error))
            return None
        self._in_a_row = 0
        if self._least_mean is not None and float(pixels.mean(dtype=np.float64)) < self._least_mean:
            self._set_aside(f"{_name(ref)} shows no light: was the beam lost, or the shutter closed?")
            return None
        if saturated > _BURNT_OUT_SHARE:
            self._set_aside(f"{_name(ref)} is saturated: shorten the exposure")
            return None
        return pixels

    def warnings(self) -> list[str]:
        """Return what a result has to say about its frames."""
        texts = list(self._reasons[:_NAMED])
        more = len(self._reasons) - _NAMED
        if more > 0:
            texts.append(f"{more} more projections could not be used")
        for kind, count in self._saturated.items():
            if count:
                texts.append(
                    f"{count} {kind.name.lower()}(s) have more than {_SATURATED_SHARE:.0%} of saturated "
                    "pixels: shorten the exposure"
                )
        return texts

    def _read(self, ref: FrameRef) -> tuple[Pixels, float]:
        """Return a frame and the share of its pixels at the top of the camera's range; floats have none."""
        pixels = self._frames.read(ref)
        if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
            row, column = np.argwhere(~np.isfinite(pixels))[0]
            raise UnreadableFrame(f"{_name(ref)} holds {pixels[row, column]} at row {row}, column {column}")
        saturated = 0.0
        if pixels.dtype == np.uint16:
            saturated = np.count_nonzero(pixels == np.iinfo(np.uint16).max) / pixels.size
        self._saturated[ref.kind] += saturated > _SATURATED_SHARE
        return pixels, saturated

    def _set_aside(self, reason: str) -> None:
        self._reasons.append(reason)
        self._telemetry.count("frames_missing", reason="corrupt")


def _name(ref: FrameRef) -> str:
    return f"scan {ref.scan_uid}: {ref.kind.name.lower()} {ref.index}"
