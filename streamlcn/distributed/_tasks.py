"""What runs on workers: functions of files, which may be run again anywhere, any number of times."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from streamlcn.distributed._files import checksum, read_rows, write_array
from streamlcn.distributed._growing import GrowingSlab, GrowingSlabs
from streamlcn.distributed._jobs import Done, GrowJob, LabelJob, made_with
from streamlcn.reconstruction._accumulator import Projected, padded_depth, usable_threads
from streamlcn.reconstruction._devices import device_of, make_accumulator
from streamlcn.shortage import Shortage, hearing

__all__ = ["grow", "label", "sees"]

_SLABS = GrowingSlabs()


def grow(job: GrowJob) -> Done:
    """Bring a slab to as many steps as asked, and write what is asked of it.

    What this process has of the slab already is not done again.
    """
    _require_same(job.made_with)
    started, shortages = time.perf_counter(), list[Shortage]()
    key = (job.folder, job.attempt, job.first)
    with hearing(shortages.append):
        slab = _SLABS.take(key)
        if slab is not None and slab.count > job.count:
            slab.accumulator.close()
            slab = None
        slab = slab or _new_slab(job)
        try:
            added, bytes_read = _add_steps(job, slab)
            written = _write(job, slab)
        except BaseException:
            slab.accumulator.close()
            raise
    if job.is_last:
        slab.accumulator.close()
    else:
        _SLABS.put(key, slab)
    return Done(
        worker=_here(),
        seconds=time.perf_counter() - started,
        bytes_read=bytes_read,
        bytes_written=0 if written is None else written.nbytes,
        steps=added,
        crc32=0 if written is None else checksum(written),
        shortages=tuple(shortages),
    )


def label(job: LabelJob) -> Done:
    """Label a range of slices, seeing as many of their neighbours as the network does."""
    from streamlcn.distributed._models import model_of
    from streamlcn.segmentation._normalise import Scale

    _require_same(job.made_with)
    started, shortages, bytes_read = time.perf_counter(), list[Shortage](), 0

    def plane(z: int) -> npt.NDArray[np.float32]:
        nonlocal bytes_read
        slab = next(each for each in job.slabs if each.first <= z < each.last)
        values: npt.NDArray[np.float32] = read_rows(slab.path, z - slab.first, z - slab.first + 1)[0]
        bytes_read += values.nbytes
        return values

    with hearing(shortages.append):
        model = model_of(job)
        mask, tally = model.label_rows(plane, job.shape, Scale(*job.scale), job.first, job.last)
    write_array(job.out, mask.classes)
    return Done(
        worker=_here(),
        seconds=time.perf_counter() - started,
        bytes_read=bytes_read,
        bytes_written=mask.classes.nbytes,
        crc32=checksum(mask.classes),
        shortages=tuple(shortages),
        likely=tally.likely,
        ambiguous=tally.ambiguous,
    )


def sees(path: Path) -> bool:
    """Return whether this process can read a file."""
    return path.is_file()


def _new_slab(job: GrowJob) -> GrowingSlab:
    device = device_of(job.method)
    rows = job.last - job.first
    size_bytes = 4 * padded_depth(rows) * job.columns**2
    _SLABS.make_room(size_bytes, device)
    threads = job.method.threads or usable_threads()
    accumulator = make_accumulator(job.method, device, (rows, job.columns), job.centre, threads)
    return GrowingSlab(accumulator, 0, size_bytes, device)


def _add_steps(job: GrowJob, slab: GrowingSlab) -> tuple[int, int]:
    """Add the steps that are missing; return how many, and the bytes that were read for them."""
    steps = read_rows(job.folder / job.steps, slab.count, job.count)
    for first in range(0, len(steps), job.method.batch):
        part = steps[first : first + job.method.batch]
        slab.accumulator.add([_projected(job, step) for step in part])
    slab.count = job.count
    return len(steps), len(steps) * 4 * (job.last - job.first) * job.columns + steps.nbytes


def _projected(job: GrowJob, step: np.void) -> Projected:
    path = job.folder / step["name"].decode()
    lines = partial(read_rows, path, job.first, job.last)
    return Projected(lines, float(step["angle"]), float(step["weight"]))


def _write(job: GrowJob, slab: GrowingSlab) -> npt.NDArray[np.float32] | None:
    if job.out is None:
        return None
    plane, accumulator = job.plane, slab.accumulator
    if plane is None:
        values = accumulator.slab(0, job.last - job.first, job.scale)
    else:
        values = np.ascontiguousarray(accumulator.plane(plane.axis, plane.index, job.scale))
    write_array(job.folder / job.out, values)
    return values


def _require_same(wanted: tuple[str, ...]) -> None:
    """Raise where this process would give other bits than the one that asks."""
    if made_with() != wanted:
        differing = [
            f"{here}, not {there}" for here, there in zip(made_with(), wanted, strict=True) if here != there
        ]
        raise RuntimeError(
            f"this worker has {'; '.join(differing)}: install the daemon's versions on workers"
        )


def _here() -> str:
    from distributed import get_worker

    try:
        return str(get_worker().address)
    except ValueError:  # not in a worker
        return ""
