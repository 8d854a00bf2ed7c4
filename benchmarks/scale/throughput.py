"""How fast a scan goes through workers on this machine, and what passes between them.

    python benchmarks/scale/throughput.py --rows 128 --columns 512 --projections 240 --workers 0,1,2

Every process has one thread, so that two workers have two cores where there are two. 0 workers is this
process alone. The least of several runs counts: others may use the machine, and the loopback device whose
bytes are counted. Seconds of processors are counted, too, of this process, the scheduler and the workers.
docs/scale.md has the figures and what follows from them.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from streamlcn.distributed import Cluster, DaskSettings, Handover, SharedScan
from streamlcn.distributed._jobs import Done, GrowJob, made_with
from streamlcn.model import Frame, FrameKind, Reference, Scan
from streamlcn.ports import Reconstruction
from streamlcn.reconstruction import ReconstructionSettings, make_reconstructor
from streamlcn.reconstruction.settings import FbpSettings
from streamlcn.telemetry import NullTelemetry


class Counts(NullTelemetry):
    """What workers told."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def count(self, what: str, amount: float = 1, **labels: str) -> None:
        self.counts[".".join((what, *labels.values()))] += amount  # type: ignore[assignment]


@contextmanager
def dask(folder: Path, workers: int) -> Iterator[tuple[str, list[int]]]:
    """Run a scheduler and workers of one thread; yield the scheduler's host and port, and all process ids."""
    file, processes = folder / "scheduler.json", []

    def start(what: str, *words: str) -> None:
        command = [
            sys.executable,
            "-m",
            f"distributed.cli.dask_{what}",
            "--host",
            "127.0.0.1",
            "--no-dashboard",
        ]
        with (folder / f"{what}.log").open("ab") as log:
            processes.append(subprocess.Popen([*command, *words], stdout=log, stderr=log))

    try:
        start("scheduler", "--port", "0", "--scheduler-file", str(file))
        while not file.exists():
            time.sleep(0.05)
        for _ in range(workers):
            start(
                "worker",
                "--scheduler-file",
                str(file),
                "--nthreads",
                "1",
                "--no-nanny",
                "--memory-limit",
                "0",
            )
        while (folder / "scheduler.log").read_text().count("Register worker addr") < workers:
            time.sleep(0.05)
        address = json.loads(file.read_text())["address"].removeprefix("tcp://")
        yield address, [process.pid for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()


def one_scan(
    session: Reconstruction, frames: np.ndarray, angles: np.ndarray
) -> tuple[np.ndarray, float, float]:
    """Return the volume, seconds until all was added, and seconds until it was there."""
    started = time.perf_counter()
    with session:
        for index, (pixels, angle) in enumerate(zip(frames, angles, strict=True)):
            session.add(Frame(kind=FrameKind.PROJECTION, index=index, angle_rad=float(angle), pixels=pixels))
        added = time.perf_counter() - started
        volume = np.concatenate([slab.voxels for slab in session.finish()])
        return volume, added, time.perf_counter() - started


def processor_s(pids: list[int]) -> list[float]:
    """Return the seconds that each process has used a processor."""
    import psutil

    return [sum(psutil.Process(pid).cpu_times()[:2]) for pid in pids]


def nothing(job: GrowJob) -> Done:
    """Return at once: what remains is the scheduler."""
    return Done(worker="", seconds=0.0, bytes_read=job.count)


def overhead(cluster: Cluster, folder: Path, tasks: int) -> dict[str, float]:
    """Return milliseconds for one task alone and among many, and bytes between processes for each."""
    import psutil

    job = GrowJob(
        made_with=made_with(), folder=folder, attempt="0", steps="steps-01234567-1500.npy", count=1500,
        first=0, last=64, columns=2048, centre=1023.5, method=FbpSettings(),
    )  # fmt: skip

    def lo() -> int:
        return int(psutil.net_io_counters(pernic=True)["lo"].bytes_sent)

    cluster.join()
    cluster.look()
    alone = []
    for number in range(20):
        started = time.perf_counter()
        future = cluster.submit(nothing, job, f"alone-{number}")
        cluster.await_all([future], "reconstruct")
        cluster.take(future, "reconstruct")
        alone.append(time.perf_counter() - started)
    many, bytes_each = [], []
    for number in range(5):
        before, started = lo(), time.perf_counter()
        futures = [cluster.submit(nothing, job, f"many-{number}-{each}") for each in range(tasks)]
        cluster.await_all(futures, "reconstruct")
        for future in futures:
            cluster.take(future, "reconstruct")
        many.append((time.perf_counter() - started) / tasks)
        bytes_each.append((lo() - before) / tasks)
    cluster.leave()
    return {
        "alone_ms": 1000 * float(np.median(alone)),
        "among_many_ms": 1000 * min(many),
        "bytes_per_task": min(bytes_each),
    }


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=128)
    parser.add_argument("--columns", type=int, default=256)
    parser.add_argument("--projections", type=int, default=360)
    parser.add_argument("--slab-rows", type=int, default=64)
    parser.add_argument("--median", type=int, default=2)
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--workers", default="0,1,2")
    parser.add_argument("--repeat", type=int, default=4)
    given = parser.parse_args()
    rng = np.random.default_rng(0)
    shape = (given.rows, given.columns)
    frames = rng.integers(8000, 12000, (given.projections, *shape)).astype(np.uint16)
    angles = np.arange(given.projections) * np.pi / given.projections
    reference = Reference(dark=np.zeros(shape, np.float32), flat=np.full(shape, 12000, np.float32))
    scan = Scan(uid="s", projection_count=given.projections, detector_shape=shape, voxel_size_um=1.0)
    rules = ReconstructionSettings.model_validate(
        {
            "method": {"backend": "fbp", "device": "cpu", "threads": 1},
            "centre": {"value": (given.columns - 1) / 2},
            "correction": {"median_radius_px": given.median},
        }
    )
    told: dict[str, Any] = {"shape": shape, "projections": given.projections, "runs": []}
    expected = None
    for workers in map(int, given.workers.split(",")):
        with tempfile.TemporaryDirectory() as name, dask(Path(name), workers) as (address, pids):
            folder, counts = Path(name), Counts()
            compute = DaskSettings(scheduler=address, shared_dir=folder / "shared", slab_rows=given.slab_rows)
            cluster = Cluster(compute, counts)
            far = partial(SharedScan, cluster, Handover(), recipe_hash="r")
            provider = make_reconstructor(rules, open_volumes=far if workers else None)
            if workers == 1:
                told["overhead"] = overhead(cluster, folder, given.tasks)
            runs = []
            for _ in range(1 + given.repeat):  # the first one compiles
                counts.counts.clear()
                before = processor_s([os.getpid(), *pids])
                volume, added, whole = one_scan(provider.start(scan, reference), frames, angles)
                spent = [a - b for a, b in zip(processor_s([os.getpid(), *pids]), before, strict=True)]
                runs.append({"added_s": added, "whole_s": whole, "processor_s": spent, **counts.counts})
        expected = volume if expected is None else expected
        best = min(runs[1:], key=lambda run: run["whole_s"])
        told["runs"].append({"workers": workers, "same_bits": bool(np.array_equal(volume, expected)), **best})
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
