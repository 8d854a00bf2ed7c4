"""The kernel in plain torch, for any device."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import numpy.typing as npt
import torch

from streamlcn.shortage import Parts

__all__ = ["PlainKernel"]


class PlainKernel:
    """See `streamlcn.reconstruction._slabs.SlabKernel`: pixels of the circle as (pixel, z).

    Two gathered lines per pixel and projection. Where memory for them runs out, they are gathered for fewer
    pixels at a time: same bits. Memory beside the slab: 36 bytes a pixel, and one slab more for lines of z.
    """

    name = "plain torch"
    z_step = 1
    margin = 0

    def __init__(self, columns: int, origin: float, device: torch.device) -> None:
        self._columns, self._origin = columns, origin
        middle = (columns - 1) / 2
        offset = torch.arange(columns, dtype=torch.float64, device=device) - middle
        inside = (offset[:, None] ** 2 + offset[None, :] ** 2) <= (columns / 2) ** 2
        self._pixels = inside.nonzero()  # (pixel, 2): row and column
        self._x = self._pixels[:, 1].double() - middle
        self._y = middle - self._pixels[:, 0].double()
        self._gathered = Parts("reconstruct", str(device), "pixels at a time", len(self._pixels), columns)

    def shape(self, depth: int) -> tuple[int, ...]:
        return (len(self._x), depth)

    def add(self, voxels: torch.Tensor, rows: torch.Tensor, angles_rad: npt.NDArray[np.float64]) -> None:
        for lines, angle in zip(rows, angles_rad, strict=True):
            for tap in (0, 1):
                first = 0
                while first < len(voxels):
                    first = self._gathered.do(partial(self._add_tap, voxels, lines, float(angle), tap, first))

    def _add_tap(
        self, voxels: torch.Tensor, lines: torch.Tensor, angle_rad: float, tap: int, first: int, count: int
    ) -> int:
        """Add one tap of the interpolation to ``count`` pixels, or nothing; return the pixel after them.

        The volume is written in place by the last operation alone, which needs no memory.
        """
        last = min(first + count, len(voxels))
        part = slice(first, last)
        position = self._x[part] * math.cos(angle_rad) + self._y[part] * math.sin(angle_rad) + self._origin
        below = position.long()
        share = (position - below).float()[:, None]
        volume = voxels[part]
        gathered, weight = (lines[below + 1], share) if tap else (lines[below], 1 - share)
        volume.addcmul_(gathered, weight)
        return last

    def images(self, voxels: torch.Tensor, scale: float) -> torch.Tensor:
        size = (voxels.shape[1], self._columns, self._columns)
        image = torch.zeros(size, dtype=torch.float32, device=voxels.device)
        image[:, self._pixels[:, 0], self._pixels[:, 1]] = voxels.T * scale
        return image

    def cut(self, voxels: torch.Tensor, axis: int, index: int, scale: float) -> torch.Tensor:
        pixels = self._pixels.to(voxels.device)
        chosen = pixels[:, axis - 1] == index
        image = torch.zeros((voxels.shape[1], self._columns), dtype=torch.float32, device=voxels.device)
        image[:, pixels[chosen, 2 - axis]] = voxels[chosen].T * scale
        return image
