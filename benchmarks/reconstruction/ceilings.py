"""What this machine could do at most, and how much of that the kernel does."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from benchmarks.reconstruction.scene import Scene
from streamlcn.reconstruction._accumulator import CpuAccumulator, Projected
from streamlcn.reconstruction._filter import FilterGeometry, RowFilter
from streamlcn.reconstruction._merged import AT_ONCE, MOST_ANGLES, MergedAccumulator

__all__ = ["copy_gb_per_s", "fma_per_s", "report_ceilings"]

THREADS = len(os.sched_getaffinity(0))


def best(work: Callable[[], object], times: int) -> tuple[float, float]:
    """Return the least wall seconds and the least CPU seconds of some runs."""
    took = []
    for _ in range(times):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        took.append((time.perf_counter() - wall, time.process_time() - cpu))
    return min(wall for wall, _ in took), min(cpu for _, cpu in took)


def fma_per_s(side: int = 1536) -> tuple[float, float]:
    """Return fused multiply-adds in float32 per wall second and per CPU second, of a matrix product."""
    one = np.random.default_rng(1).random((side, side), np.float32)
    wall, cpu = best(lambda: one @ one, 12)
    return side**3 / wall, side**3 / cpu


def copy_gb_per_s(mib: int = 256) -> float:
    """Return how much memory all threads together read and write in a second, in GB."""
    source = np.ones((THREADS, mib * 2**18 // THREADS), np.float32)
    target = np.zeros_like(source)
    with ThreadPoolExecutor(THREADS) as pool:
        wall, _ = best(lambda: list(pool.map(np.copyto, target, source)), 8)
    return 2 * source.nbytes / wall / 1e9


def kernel_s(kind: type[CpuAccumulator], scene: Scene, count: int) -> tuple[tuple[float, float], ...]:
    """Return wall and CPU seconds of filtering ``count`` projections, of all their work, and of writing."""
    rows, columns = scene.lines.shape[1:]
    row_filter = RowFilter(FilterGeometry.around(columns, scene.centre), "ramlak", "edge")
    some: Sequence[Projected] = [
        Projected(partial(scene.lines.__getitem__, i), float(scene.angles_rad[i]), 1.0) for i in range(count)
    ]
    volume = kind((rows, columns), scene.centre, row_filter, min(count, 24), THREADS)
    volume.add(some)
    with ThreadPoolExecutor(THREADS) as pool:
        filtering = best(lambda: list(pool.map(lambda one: row_filter(one.lines()), some)), 8)
    adding = best(lambda: volume.add(some), 8)
    writing = best(lambda: volume.slab(0, rows, 1.0), 4)
    volume.close()
    return filtering, adding, writing


def report_ceilings(scene: Scene) -> None:
    """Print the ceilings, and where our time goes."""
    fma, fma_cpu = fma_per_s()
    print(
        f"\nCeilings: {fma / 1e9:.0f} G fused multiply-adds/s on {THREADS} threads (a matrix product; "
        f"{fma_cpu / 1e9:.0f} per CPU second), two of which are one voxel update; "
        f"copying moves {copy_gb_per_s():.0f} GB/s"
    )
    rows, columns = scene.lines.shape[1:]
    for name, kind, count in (
        ("direct", CpuAccumulator, 24),
        ("merged", MergedAccumulator, AT_ONCE + MOST_ANGLES),
    ):
        updates = np.pi / 4 * columns**2 * rows * count
        filtering, adding, writing = kernel_s(kind, scene, count)
        wall, cpu = (both - one for both, one in zip(adding, filtering, strict=True))
        share = f", {2 * updates / cpu / fma_cpu:.0%} of the ceiling" if kind is CpuAccumulator else ""
        print(
            f"{name}, {count} projections: {updates / wall / 1e9:.1f} G voxel updates/s inside the circle, "
            f"{updates / cpu / 1e9:.1f} per CPU second{share}; "
            f"CPU us per slice and projection: filter {1e6 * filtering[1] / rows / count:.1f}, "
            f"kernel {1e6 * cpu / rows / count:.1f}; writing a slice {1e3 * writing[1] / rows:.2f} ms"
        )
