"""The volume on any torch device, in plain torch."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch

from streamlcn.reconstruction._accumulator import SLAB_ROWS, Projected
from streamlcn.reconstruction._filter import RowFilter

__all__ = ["TorchAccumulator"]


class TorchAccumulator:
    """Plain torch on any device: pixels of the circle as (pixel, z), two gathered lines per projection."""

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

    def add(self, projections: Sequence[Projected]) -> None:
        for projection in projections:
            filtered = self._filter(projection.lines())
            if projection.weight != 1:
                filtered = filtered * np.float32(projection.weight)
            self._back_project(filtered, projection.angle_rad)

    def _back_project(self, filtered: npt.NDArray[np.float32], angle_rad: float) -> None:
        lines = torch.from_numpy(filtered).to(self._volume.device)  # (u, z)
        position = self._x * math.cos(angle_rad) + self._y * math.sin(angle_rad) + self._origin
        below = position.long()
        share = (position - below).float()[:, None]
        self._volume.addcmul_(lines[below], 1 - share)
        self._volume.addcmul_(lines[below + 1], share)

    def clear(self) -> None:
        self._volume.zero_()

    def slab(self, z_start: int, z_stop: int, scale: float) -> npt.NDArray[np.float32]:
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
        self._volume = torch.zeros((0, 0))
