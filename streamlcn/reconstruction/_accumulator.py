"""The volume while it grows, on the CPU or on any torch device.

An accumulator takes filtered projections in sequence; each voxel adds them one by one, so that how they were
grouped never shows in the bits.
"""

from __future__ import annotations

import math
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch

from streamlcn.reconstruction._kernel import TILE, back_project, write_slices

__all__ = ["Accumulator", "CpuAccumulator", "TorchAccumulator", "usable_threads"]

SLAB_ROWS = 64


class Accumulator(Protocol):
    """Sum of back-projections, (row, column, column) in the end, unscaled."""

    slab_rows: int

    def add(self, filtered: torch.Tensor, angle_rad: float, weight: float) -> None:
        """Queue one filtered projection (row, column + 2 margin)."""
        ...

    def flush(self) -> None:
        """Bring what is queued into the volume."""
        ...

    def clear(self) -> None:
        """Start again from nothing."""
        ...

    def slab(self, z_start: int, z_stop: int, scale: float) -> npt.NDArray[np.float32]:
        """Return scale times slices z_start to z_stop, (z, y, x) float32, a copy."""
        ...

    def plane(self, axis: int, index: int, scale: float) -> npt.NDArray[np.float32]:
        """Return scale times one plane: axis 0 (y, x), 1 (z, x), 2 (z, y)."""
        ...

    def close(self) -> None:
        """Free memory and threads."""
        ...


def usable_threads() -> int:
    """Return how many CPUs this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def aligned_zeros(shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
    """Return zeros that begin on a 64-byte boundary: a fifth faster with 512-bit registers."""
    count = math.prod(shape)
    buffer = np.zeros(count + 16, np.float32)
    first = (-buffer.ctypes.data // 4) % 16
    return buffer[first : first + count].reshape(shape)


class CpuAccumulator:
    """Compiled kernel on threads of our own; slabs of up to 64 rows as (y, x, z)."""

    def __init__(self, rows: int, columns: int, centre: float, margin: int, batch: int, threads: int) -> None:
        slabs = math.ceil(rows / SLAB_ROWS)
        self.slab_rows = math.ceil(rows / slabs)
        self._rows, self._columns = rows, columns
        self._origin = centre + margin
        depth = math.ceil(self.slab_rows / 16) * 16 if self.slab_rows > 8 else self.slab_rows
        self._slabs = [aligned_zeros((columns, columns, depth)) for _ in range(slabs)]
        self._queue = [aligned_zeros((batch, columns + 2 * margin, depth)) for _ in range(slabs)]
        self._angles = np.zeros(batch)
        self._count = 0
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="back-project")

    def add(self, filtered: torch.Tensor, angle_rad: float, weight: float) -> None:
        lines = filtered.numpy()
        if weight != 1:
            lines = lines * np.float32(weight)
        for index, queue in enumerate(self._queue):
            part = lines[index * self.slab_rows : (index + 1) * self.slab_rows]
            queue[self._count, :, : len(part)] = part.T
        self._angles[self._count] = angle_rad
        self._count += 1
        if self._count == len(self._angles):
            self.flush()

    def flush(self) -> None:
        if not self._count:
            return
        cosines = np.cos(self._angles[: self._count])
        sines = np.sin(self._angles[: self._count])
        middle = (self._columns - 1) / 2

        def work(slab: int, y: int) -> None:
            rows = self._queue[slab][: self._count]
            last = min(y + TILE, self._columns)
            back_project(self._slabs[slab], rows, cosines, sines, self._origin, middle, y, last)

        self._share(work)
        self._count = 0

    def clear(self) -> None:
        self._count = 0
        for slab in self._slabs:
            slab[:] = 0

    def slab(self, z_start: int, z_stop: int, scale: float) -> npt.NDArray[np.float32]:
        out = np.empty((z_stop - z_start, self._columns, self._columns), np.float32)
        for z in range(z_start, z_stop):
            if z == z_start or z % self.slab_rows == 0:
                index, first = divmod(z, self.slab_rows)
                last = min(z_stop, (index + 1) * self.slab_rows)
                source = self._slabs[index][:, :, first:]
                target = out[z - z_start : last - z_start]
                bands = range(0, self._columns, TILE)
                list(self._pool.map(lambda y, s=source, t=target: self._write(s, t, scale, y), bands))
        return out

    def plane(self, axis: int, index: int, scale: float) -> npt.NDArray[np.float32]:
        if axis == 0:
            slab, z = divmod(index, self.slab_rows)
            return self._slabs[slab][:, :, z] * np.float32(scale)
        cut = (index, slice(None)) if axis == 1 else (slice(None), index)
        joined = np.concatenate([slab[cut].T[: self.slab_rows] for slab in self._slabs])[: self._rows]
        return joined * np.float32(scale)

    def close(self) -> None:
        self._pool.shutdown(wait=True)
        self._slabs.clear()
        self._queue.clear()

    def _write(
        self, source: npt.NDArray[np.float32], target: npt.NDArray[np.float32], scale: float, y: int
    ) -> None:
        write_slices(source, np.float32(scale), target, y, min(y + TILE, self._columns))

    def _share(self, work) -> None:  # type: ignore[no-untyped-def]
        bands = range(0, self._columns, TILE)
        tasks = [(slab, y) for slab in range(len(self._slabs)) for y in bands]
        list(self._pool.map(lambda task: work(*task), tasks))


class TorchAccumulator:
    """Plain torch on any device: pixels of the circle as (pixel, z), two gathered lines per projection."""

    def __init__(self, rows: int, columns: int, centre: float, margin: int, device: torch.device) -> None:
        self.slab_rows = min(rows, SLAB_ROWS)
        self._rows, self._columns = rows, columns
        self._origin = centre + margin
        middle = (columns - 1) / 2
        offset = torch.arange(columns, dtype=torch.float64, device=device) - middle
        inside = (offset[:, None] ** 2 + offset[None, :] ** 2) <= (columns / 2) ** 2
        self._pixels = inside.nonzero()  # (pixel, 2): row and column
        self._x = self._pixels[:, 1].double() - middle
        self._y = middle - self._pixels[:, 0].double()
        self._volume = torch.zeros((len(self._pixels), rows), dtype=torch.float32, device=device)

    def add(self, filtered: torch.Tensor, angle_rad: float, weight: float) -> None:
        lines = (filtered * weight if weight != 1 else filtered).T.contiguous()  # (u, z)
        position = self._x * math.cos(angle_rad) + self._y * math.sin(angle_rad) + self._origin
        below = position.long()
        share = (position - below).float()[:, None]
        self._volume.addcmul_(lines[below], 1 - share)
        self._volume.addcmul_(lines[below + 1], share)

    def flush(self) -> None:
        """Nothing waits here."""

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
