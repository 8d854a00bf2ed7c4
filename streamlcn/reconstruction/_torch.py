"""The volume on any torch device, in plain torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np
import numpy.typing as npt
import torch

from streamlcn.reconstruction._accumulator import SLAB_ROWS, Projected
from streamlcn.reconstruction._filter import RowFilter
from streamlcn.shortage import Parts

__all__ = ["TorchAccumulator"]


class TorchAccumulator:
    """Plain torch on any device: pixels of the circle as (pixel, z), two gathered lines per projection.

    Where memory for the gathered lines runs out, they are gathered for fewer pixels at a time: same bits.
    """

    def __init__(
        self, shape: tuple[int, int], centre: float, row_filter: RowFilter, device: torch.device
    ) -> None:
        rows, columns = shape
        self.slab_rows = min(rows, SLAB_ROWS)
        self._rows, self._columns = rows, columns
        self._filter = row_filter
        self._origin = centre + row_filter.geometry.margin
        middle = (columns - 1) / 2
        offset = torch.arange(columns, dtype=torch.float64, device=device) - middle
        inside = (offset[:, None] ** 2 + offset[None, :] ** 2) <= (columns / 2) ** 2
        self._pixels = inside.nonzero()  # (pixel, 2): row and column
        self._x = self._pixels[:, 1].double() - middle
        self._y = middle - self._pixels[:, 0].double()
        self._volume = torch.zeros((len(self._pixels), rows), dtype=torch.float32, device=device)
        self._gathered = Parts("reconstruct", str(device), "pixels at a time", len(self._pixels), columns)
        self._cut = Parts("reconstruct", str(device), "slices at a time", self.slab_rows, 1)

    def add(self, projections: Sequence[Projected]) -> None:
        for projection in projections:
            filtered = self._filter(projection.lines())
            if projection.weight != 1:
                filtered = filtered * np.float32(projection.weight)
            self._back_project(filtered, projection.angle_rad)

    def _back_project(self, filtered: npt.NDArray[np.float32], angle_rad: float) -> None:
        lines = torch.from_numpy(filtered).to(self._volume.device)  # (u, z)
        for tap in (0, 1):
            first = 0
            while first < len(self._volume):
                first = self._gathered.do(partial(self._add_tap, lines, angle_rad, tap, first))

    def _add_tap(self, lines: torch.Tensor, angle_rad: float, tap: int, first: int, count: int) -> int:
        """Add one tap of the interpolation to ``count`` pixels, or nothing; return the pixel after them.

        The volume is written in place by the last operation alone, which needs no memory.
        """
        last = min(first + count, len(self._volume))
        part = slice(first, last)
        position = self._x[part] * math.cos(angle_rad) + self._y[part] * math.sin(angle_rad) + self._origin
        below = position.long()
        share = (position - below).float()[:, None]
        volume = self._volume[part]
        gathered, weight = (lines[below + 1], share) if tap else (lines[below], 1 - share)
        volume.addcmul_(gathered, weight)
        return last

    def clear(self) -> None:
        self._volume.zero_()

    def slab(self, z_start: int, z_stop: int, scale: float) -> npt.NDArray[np.float32]:
        slab = np.empty((z_stop - z_start, self._columns, self._columns), np.float32)
        z = z_start
        while z < z_stop:
            images = self._cut.do(partial(self._slices, z, z_stop, scale))
            slab[z - z_start : z - z_start + len(images)] = images
            z += len(images)
        return slab

    def _slices(self, z_start: int, z_end: int, scale: float, height: int) -> npt.NDArray[np.float32]:
        """Return at most ``height`` slices from ``z_start``, none from ``z_end`` on."""
        z_stop = min(z_start + height, z_end)
        image = torch.zeros(
            (z_stop - z_start, self._columns, self._columns), dtype=torch.float32, device=self._volume.device
        )
        image[:, self._pixels[:, 0], self._pixels[:, 1]] = self._volume[:, z_start:z_stop].T * scale
        return image.cpu().numpy()

    def plane(self, axis: int, index: int, scale: float) -> npt.NDArray[np.float32]:
        if axis == 0:
            return self.slab(index, index + 1, scale)[0]
        chosen = self._pixels[:, axis - 1] == index
        image = torch.zeros((self._rows, self._columns), dtype=torch.float32, device=self._volume.device)
        image[:, self._pixels[chosen, 2 - axis]] = self._volume[chosen].T * scale
        return image.cpu().numpy()

    def close(self) -> None:
        del self._volume, self._pixels, self._x, self._y
