"""A volume on a device, in slabs of z: those that fit stay there, the others live in host memory.

A slab in host memory is uploaded in parts, gets a batch of projections, and is downloaded again. Each voxel
adds its projections one after the other wherever it lives, so that its bits do not depend on what fits.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import numpy.typing as npt
import structlog
import torch

from streamlcn.reconstruction._accumulator import SLAB_ROWS, Projected
from streamlcn.reconstruction._filter import RowFilter
from streamlcn.shortage import Parts, Shortage, announce, is_shortage

__all__ = ["SlabAccumulator", "SlabKernel"]

_log = structlog.get_logger(__name__)


class SlabKernel(Protocol):
    """What a device does with one slab, a float32 tensor whose last axis is z.

    ``z_step``: slabs are multiples of so many slices. ``margin``: columns of zeros that rows must have at
    either end. Made for the axis at a column of rows that have them.
    """

    name: str
    z_step: int
    margin: int

    def shape(self, depth: int) -> tuple[int, ...]:
        """Return the shape of a slab of ``depth`` slices."""
        ...

    def add(self, voxels: torch.Tensor, rows: torch.Tensor, angles_rad: npt.NDArray[np.float64]) -> None:
        """Add filtered rows (k, u, z), one k after the other, in place; same device, same z."""
        ...

    def images(self, voxels: torch.Tensor, scale: float) -> torch.Tensor:
        """Return scale times the slices (z, y, x) of a slab on the kernel's device."""
        ...

    def cut(self, voxels: torch.Tensor, axis: int, index: int, scale: float) -> torch.Tensor:
        """Return scale times one plane of a slab anywhere: axis 1 (z, x), 2 (z, y)."""
        ...


@dataclass(slots=True)
class _Slab:
    first: int
    rows: int
    depth: int
    voxels: torch.Tensor
    is_here: bool
    """Whether it lives on the device."""


class SlabAccumulator:
    """An `Accumulator` of slabs on ``device``, which may use ``budget_bytes`` for them and what is staged.

    Rows are filtered on ``threads`` of the CPU, ``batch`` projections at a time; a larger batch moves staged
    slabs less often. Host memory: the batch, filtered, and the slabs that the device has no room for.
    """

    def __init__(
        self,
        shape: tuple[int, int],
        row_filter: RowFilter,
        kernel: SlabKernel,
        device: torch.device,
        *,
        batch: int,
        threads: int,
        budget_bytes: float,
    ) -> None:
        rows, self._columns = shape
        self.slab_rows = min(rows, SLAB_ROWS)
        self._filter, self._kernel, self._device = row_filter, kernel, device
        depth = math.ceil(self.slab_rows / kernel.z_step) * kernel.z_step
        self._parts = Parts("reconstruct", str(device), "slices at a time", depth, kernel.z_step)
        self._cut = Parts("reconstruct", str(device), "slices at a time", self.slab_rows, 1)
        width = self._columns + 2 * (row_filter.geometry.margin + kernel.margin)
        self._queue = np.zeros((batch, width, math.ceil(rows / depth) * depth), np.float32)
        self._why = ""
        staged_bytes = 4 * (math.prod(kernel.shape(depth)) + batch * width * depth)
        self._slabs = self._placed(rows, depth, budget_bytes, staged_bytes)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="filter")

    def _placed(self, rows: int, depth: int, budget_bytes: float, staged_bytes: int) -> list[_Slab]:
        """Return empty slabs, on the device as long as the rest leaves room for one that is staged."""
        starts = range(0, rows, self.slab_rows)
        each = 4 * math.prod(self._kernel.shape(depth))
        fitting = int(min(max((budget_bytes - staged_bytes) / each, 0), len(starts)))
        slabs: list[_Slab] = []
        for first in starts:
            height = min(self.slab_rows, rows - first)
            deep = math.ceil(height / self._kernel.z_step) * self._kernel.z_step
            is_here = len(slabs) < fitting and not self._why
            slabs.append(self._empty(first, height, deep, is_here=is_here))
        here = sum(slab.is_here for slab in slabs)
        _log.info(
            "volume_opened", device=str(self._device), kernel=self._kernel.name, slabs=len(slabs), there=here
        )
        return slabs

    def _empty(self, first: int, height: int, depth: int, *, is_here: bool) -> _Slab:
        shape = self._kernel.shape(depth)
        if is_here:
            try:
                voxels = torch.zeros(shape, dtype=torch.float32, device=self._device)
                return _Slab(first, height, depth, voxels, is_here=True)
            except Exception as error:
                if not is_shortage(error):
                    raise
                self._why = str(error)
        return _Slab(first, height, depth, torch.from_numpy(np.zeros(shape, np.float32)), is_here=False)

    def add(self, projections: Sequence[Projected]) -> None:
        batch = len(self._queue)
        for start in range(0, len(projections), batch):
            part = projections[start : start + batch]
            list(self._pool.map(self._prepare, range(len(part)), part))
            angles = np.array([p.angle_rad for p in part])
            for slab in self._slabs:
                z = 0
                while z < slab.depth:
                    z = self._add_to(slab, z, self._queue[: len(part)], angles)
        if self._why:
            here = sum(slab.is_here for slab in self._slabs)
            done = f"went on with {here} of {len(self._slabs)} slabs there, the others in host memory"
            announce(Shortage("reconstruct", str(self._device), done), self._why)
            self._why = ""

    def _prepare(self, slot: int, projection: Projected) -> None:
        filtered = self._filter(projection.lines())
        if projection.weight != 1:
            filtered = filtered * np.float32(projection.weight)
        margin = self._kernel.margin
        self._queue[slot, margin : margin + len(filtered), : filtered.shape[1]] = filtered

    def _add_to(
        self, slab: _Slab, z: int, queue: npt.NDArray[np.float32], angles: npt.NDArray[np.float64]
    ) -> int:
        """Add the queue to as many slices of a slab as there is memory for; return the slice after them."""
        if not slab.is_here:
            return self._parts.do(partial(self._stage, slab, z, queue, angles))
        rows = self._parts.do(partial(self._upload, slab, z, queue))
        self._kernel.add(slab.voxels[..., z : z + rows.shape[2]], rows, angles)
        return z + rows.shape[2]

    def _upload(self, slab: _Slab, z: int, queue: npt.NDArray[np.float32], count: int) -> torch.Tensor:
        first = slab.first + z
        part = np.ascontiguousarray(queue[:, :, first : first + min(count, slab.depth - z)])
        return torch.from_numpy(part).to(self._device)

    def _stage(
        self,
        slab: _Slab,
        z: int,
        queue: npt.NDArray[np.float32],
        angles: npt.NDArray[np.float64],
        count: int,
    ) -> int:
        """Add the queue to at most ``count`` slices of a slab in host memory, or nothing."""
        rows = self._upload(slab, z, queue, count)
        home = slab.voxels[..., z : z + rows.shape[2]]
        voxels = torch.empty(home.shape, dtype=torch.float32, device=self._device)
        voxels.copy_(home)
        self._kernel.add(voxels, rows, angles)
        home.copy_(voxels.cpu())
        return z + rows.shape[2]

    def clear(self) -> None:
        for slab in self._slabs:
            slab.voxels.zero_()

    def slab(self, z_start: int, z_stop: int, scale: float) -> npt.NDArray[np.float32]:
        out = np.empty((z_stop - z_start, self._columns, self._columns), np.float32)
        z = z_start
        while z < z_stop:
            images = self._cut.do(partial(self._slices, z, z_stop, scale))
            out[z - z_start : z - z_start + len(images)] = images
            z += len(images)
        return out

    def _slices(self, z_start: int, z_end: int, scale: float, height: int) -> npt.NDArray[np.float32]:
        """Return at most ``height`` slices from ``z_start``, none of another slab or from ``z_end`` on."""
        slab = self._slabs[z_start // self.slab_rows]
        z_stop = min(z_start + height, z_end, slab.first + slab.rows)
        voxels = slab.voxels[..., z_start - slab.first : z_stop - slab.first]
        return self._kernel.images(voxels.to(self._device), scale).cpu().numpy()

    def plane(self, axis: int, index: int, scale: float) -> npt.NDArray[np.float32]:
        if axis == 0:
            return self.slab(index, index + 1, scale)[0]
        cuts = [self._kernel.cut(s.voxels[..., : s.rows], axis, index, scale) for s in self._slabs]
        return np.concatenate([cut.cpu().numpy() for cut in cuts])

    def close(self) -> None:
        self._pool.shutdown(wait=True)
        self._slabs.clear()
        del self._kernel, self._queue
