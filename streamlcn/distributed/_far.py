"""A volume in slabs on workers.

Each slab is the sum of a list of steps, which only grows; a task brings one slab to the end of the list as it
is then. One task per slab is under way at a time, so that slow workers take longer strides instead of queues.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from streamlcn.distributed._cluster import Cluster, ClusterLost
from streamlcn.distributed._files import STEP, checksum, keep_lines, read_rows, write_array
from streamlcn.distributed._jobs import GrowJob, Plane, SlabFile, made_with
from streamlcn.distributed._tasks import grow
from streamlcn.reconstruction._accumulator import Projected
from streamlcn.reconstruction.settings import FbpSettings

if TYPE_CHECKING:
    from distributed import Future

__all__ = ["FarVolume"]

_STAGE = "reconstruct"


@dataclass(slots=True)
class _Slab:
    """Slices ``first`` to ``last``; ``count`` steps were in when it was last heard of at ``home``."""

    first: int
    last: int
    count: int = 0
    home: str | None = None
    future: Future | None = None
    heading: int = 0


class FarVolume:
    """One attempt at a scan's volume; ``label`` stands in the keys of tasks.

    Everything raises `ClusterLost`, and `OSError` where the shared folder fails.
    """

    def __init__(
        self,
        cluster: Cluster,
        folder: Path,
        label: str,
        method: FbpSettings,
        shape: tuple[int, int],
        centre: float,
        threads: int,
    ) -> None:
        self._cluster, self._folder, self._label = cluster, folder, label
        self._method, self._columns, self._centre = method, shape[1], centre
        self._attempt = secrets.token_hex(4)
        self._steps = np.empty(0, STEP)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="correct")
        cluster.look()
        height = _height(shape[0], cluster.settings.slab_rows, len(cluster.workers))
        self._slabs = [_Slab(first, min(first + height, shape[0])) for first in range(0, shape[0], height)]

    def add(self, projections: Sequence[Projected]) -> None:
        """Put line integrals where workers find them, and set idle slabs to work."""
        self._cluster.look()
        names = list(self._pool.map(lambda each: keep_lines(self._folder, each.lines()), projections))
        more = [(name, each.angle_rad, each.weight) for name, each in zip(names, projections, strict=True)]
        self._steps = np.concatenate([self._steps, np.array(more, STEP)])
        write_array(self._folder / self._steps_name, self._steps)
        for slab in self._slabs:
            self._hear(slab)
            if slab.future is None:
                self._send(slab)

    def plane(self, axis: int, index: int, scale: float) -> npt.NDArray[np.float32]:
        """Return scale times a plane of what was added; waits until it is in."""
        chosen = [slab for slab in self._slabs if axis != 0 or slab.first <= index < slab.last]
        name = f"plane-{secrets.token_hex(4)}"
        for slab in chosen:
            place = Plane(axis=axis, index=index - slab.first if axis == 0 else index)
            self._settle(slab)
            self._send(slab, out=f"{name}-{slab.first}.npy", plane=place, scale=scale)
        self._cluster.await_all([slab.future for slab in chosen if slab.future is not None], _STAGE)
        parts = []
        for slab in chosen:
            self._hear(slab)
            path = self._folder / f"{name}-{slab.first}.npy"
            parts.append(read_rows(path, 0, self._columns if axis == 0 else slab.last - slab.first))
            path.unlink()
        return np.concatenate(parts)

    def slabs(self, scale: float) -> tuple[npt.NDArray[np.float32], tuple[SlabFile, ...]]:
        """Return scale times the whole volume (z, y, x), and the files that it lies in."""
        for slab in self._slabs:
            self._settle(slab)
            self._send(slab, out=self._volume_name(slab), scale=scale, is_last=True)
        futures = [slab.future for slab in self._slabs if slab.future is not None]
        self._cluster.await_all(futures, _STAGE)
        volume = np.empty((self._slabs[-1].last, self._columns, self._columns), np.float32)
        checksums = [self._hear(slab) for slab in self._slabs]
        list(self._pool.map(lambda slab, crc32: self._fetch(slab, crc32, volume), self._slabs, checksums))
        return volume, tuple(
            SlabFile(path=self._folder / self._volume_name(slab), first=slab.first, last=slab.last)
            for slab in self._slabs
        )

    def close(self) -> None:
        """Let go of tasks; workers let go of slabs by themselves. Never raises."""
        for slab in self._slabs:
            slab.future = None
        self._pool.shutdown(wait=True)

    @property
    def _steps_name(self) -> str:
        return f"steps-{self._attempt}-{len(self._steps)}.npy"

    def _volume_name(self, slab: _Slab) -> str:
        return f"volume-{self._attempt}-{slab.first}.npy"

    def _send(
        self,
        slab: _Slab,
        *,
        out: str | None = None,
        plane: Plane | None = None,
        scale: float = 1.0,
        is_last: bool = False,
    ) -> None:
        job = GrowJob(
            made_with=made_with(),
            folder=self._folder,
            attempt=self._attempt,
            steps=self._steps_name,
            count=len(self._steps),
            first=slab.first,
            last=slab.last,
            columns=self._columns,
            centre=self._centre,
            method=self._method,
            out=out,
            plane=plane,
            scale=scale,
            is_last=is_last,
        )
        epoch = f"{self._attempt}.{len(self._steps)}" + (f".{out}" if out else "")
        key = f"slab-{self._label}-{slab.first}:{slab.last}-{epoch}"
        slab.home = self._home(slab)
        slab.heading = len(self._steps)
        slab.future = self._cluster.submit(grow, job, key, slab.home)

    def _settle(self, slab: _Slab) -> None:
        """Wait for the task of a slab that is under way."""
        if slab.future is not None:
            self._cluster.await_all([slab.future], _STAGE)
            self._hear(slab)

    def _hear(self, slab: _Slab) -> int:
        """Take what the task of a slab returned, if it is over; return the checksum of what it wrote."""
        if slab.future is None or not slab.future.done():
            return 0
        done = self._cluster.take(slab.future, _STAGE)
        slab.home, slab.count, slab.future = done.worker, slab.heading, None
        return done.crc32

    def _fetch(self, slab: _Slab, crc32: int, volume: npt.NDArray[np.float32]) -> None:
        values = read_rows(self._folder / self._volume_name(slab), 0, slab.last - slab.first)
        if checksum(values) != crc32:
            raise ClusterLost(f"{self._volume_name(slab)} is not here as its worker wrote it")
        volume[slab.first : slab.last] = values

    def _home(self, slab: _Slab) -> str | None:
        """Return the worker that has the slab, or the least busy one where that is gone or has too many."""
        workers = self._cluster.workers
        if not workers:
            return None
        slabs_at = Counter(each.home for each in self._slabs if each is not slab)
        most = -(-len(self._slabs) // len(workers))
        if slab.home in workers and slabs_at[slab.home] < most:
            return slab.home
        return min(workers, key=lambda worker: slabs_at[worker])


def _height(rows: int, most: int, workers: int) -> int:
    """Return slices per slab: as many as allowed, since low slabs cost more per slice, but work for all."""
    return min(most, -(-rows // max(workers, 1)))
