"""Frames of a scan as they came, and which of them may enter the volume next."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from streamlcn.errors import ReconstructionFailed
from streamlcn.model import Frame, Pixels

__all__ = ["KeptFrames"]

BLOCK_BYTES = 1 << 26
"""So much that the C library asks the system for it alone (from 32 MiB on) and gives it back at once."""


class KeptFrames:
    """Copies of all projections by index, uint16 where they came so.

    ``shape`` is (row, column), None until the first frame tells; ``planned_rad`` gives the angle of an index
    whose frame has none.
    """

    def __init__(self, uid: str, shape: tuple[int, int] | None, planned_rad: Sequence[float] | None) -> None:
        self.shape = shape
        self._uid = uid
        self._planned = planned_rad
        self._frames: dict[int, Pixels] = {}
        self._angles: dict[int, float] = {}
        self._waiting: set[int] = set()
        self._next = 0
        self._block: Pixels | None = None  # (frame, row, column), some of it used
        self._used = 0

    def put(self, frame: Frame) -> bool:
        """Keep a copy; False when the very same frame is here already.

        Raises `ReconstructionFailed` for a frame that cannot be used.
        """
        where = f"scan {self._uid}: projection {frame.index}"
        if frame.index in self._frames:
            if np.array_equal(self._frames[frame.index], frame.pixels):
                return False
            raise ReconstructionFailed(f"{where} came twice with different pixels")
        if frame.pixels.ndim != 2 or frame.pixels.shape != (self.shape or frame.pixels.shape):
            raise ReconstructionFailed(f"{where} has shape {frame.pixels.shape}, expected {self.shape}")
        pixels = self._room(frame.pixels)
        pixels[:] = frame.pixels
        if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
            row, column = np.argwhere(~np.isfinite(pixels))[0]
            raise ReconstructionFailed(f"{where} holds {pixels[row, column]} at row {row}, column {column}")
        self._angles[frame.index] = self._angle_of(frame, where)
        self.shape = (pixels.shape[0], pixels.shape[1])
        self._frames[frame.index] = pixels
        self._used += 1
        self._waiting.add(frame.index)
        return True

    def ready(self, window: int) -> list[int]:
        """Return waiting indices that follow without a gap on those taken.

        When more than ``window`` wait for a missing one, it counts as lost and the lowest of them go on.
        """
        found: list[int] = []
        while self._next + len(found) in self._waiting:
            found.append(self._next + len(found))
        if not found and len(self._waiting) > window:
            return self.waiting()[: len(self._waiting) - window // 2]
        return found

    def waiting(self) -> list[int]:
        """Return all waiting indices in order."""
        return sorted(self._waiting)

    def mark_taken(self, index: int) -> None:
        """Say that this index is in the volume."""
        self._waiting.discard(index)
        self._next = max(self._next, index + 1)

    def indices(self) -> list[int]:
        """Return all indices in order."""
        return sorted(self._frames)

    def pixels(self, index: int) -> Pixels:
        """Return the frame as it came."""
        return self._frames[index]

    def angle(self, index: int) -> float:
        """Return the angle in radians."""
        return self._angles[index]

    def angles(self) -> npt.NDArray[np.float64]:
        """Return all angles in order of index."""
        return np.array([self._angles[i] for i in self.indices()])

    def clear(self) -> None:
        """Forget all frames."""
        self._frames.clear()
        self._waiting.clear()
        self._block = None

    def _room(self, pixels: Pixels) -> Pixels:
        """Return where a frame like this goes next.

        Frames lie in blocks, which the system gets back when they are forgotten.
        """
        block = self._block
        if block is None or self._used == len(block) or block[0].dtype != pixels.dtype:
            count = max(1, BLOCK_BYTES // max(pixels.nbytes, 1))
            block = self._block = np.empty((count, *pixels.shape), pixels.dtype)
            self._used = 0
        return block[self._used]

    def _angle_of(self, frame: Frame, where: str) -> float:
        angle = frame.angle_rad
        if angle is None and self._planned is not None and 0 <= frame.index < len(self._planned):
            angle = self._planned[frame.index]
        if angle is None:
            raise ReconstructionFailed(f"{where} has no angle, neither in its event nor in the plan")
        if not math.isfinite(angle):
            raise ReconstructionFailed(f"{where} has the angle {angle} rad")
        return float(angle)
