"""Our reconstruction and its peers on the same sinograms, in one run.

    python -m benchmarks.reconstruction.peers

From the root of the repository. Peers are measured where they can be imported; tomopy in the interpreter
that STREAMLCN_TOMOPY_PYTHON names. Each method runs in a process of its own, several times; the least wall
time and the least CPU time count, and CPU time is the safer figure on a machine that others use. Memory is
the most that a process had above what it had before it began, with the sinograms. Errors are the largest
difference from a float64 filtered back-projection of the same discretisation, and the rms difference from
the phantom, both over the maximum, within 0.98 of the circle.
"""

from __future__ import annotations

import argparse
import multiprocessing
import resource
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import structlog

from benchmarks.reconstruction.ceilings import report_ceilings
from benchmarks.reconstruction.methods import ALL, TOMOPY_PYTHON, Took, open_session, peak_mib
from benchmarks.reconstruction.scene import Scene, errors_of, load_scene, make_scene, save_scene
from streamlcn.errors import BadInput

LONG_S = 60.0  # methods that take longer are not run again


def measure(name: str, path: Path, repeats: int) -> Took:
    """Run one method in this process; the least of its times, and its memory in the first full run."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    run, scene = ALL[name][1], load_scene(path)
    warm = Scene(scene.lines[:48, :1], scene.angles_rad[:48], scene.centre, scene.truth)
    run(warm)
    before = peak_mib("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    began, found = time.perf_counter(), [run(scene)]
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    first = found[0]
    mib = first.mib if first.mib is not None else peak_mib() - before + children
    while len(found) < repeats and time.perf_counter() - began < LONG_S:
        found.append(run(scene))
    quickest = min(found, key=lambda one: one.wall_s)
    cpu = min(one.cpu_s for one in found)
    return Took(first.image, quickest.wall_s, cpu, quickest.after_s, mib)


def preview_share(scene: Scene) -> float:
    """Return the CPU time of three orthogonal slices after every 24 projections over the stream's."""
    session, frames = open_session(scene, backend="fbp", device="cpu")
    spent, begin = 0.0, time.process_time()
    with session:
        for i, frame in enumerate(frames):
            session.add(frame)
            if (i + 1) % 24 == 0:  # nothing waits then that would count as the preview's work
                mark = time.process_time()
                session.preview_slices()
                spent += time.process_time() - mark
        list(session.finish())
    return spent / (time.process_time() - begin)


def row_of(name: str, took: Took, scene: Scene, ours_s: float) -> str:
    """Return a row of the table."""
    rows = scene.lines.shape[1]
    largest, rms = errors_of(took.image, scene)
    after = "" if took.after_s is None else f"{took.after_s[0] / took.wall_s:.1%}"
    return (
        f"| {name} | {rows} | {1000 * took.wall_s / rows:.1f} | {1000 * took.cpu_s / rows:.1f} "
        f"| {took.cpu_s / rows / ours_s:.2f} | {len(scene.lines) / took.wall_s:.0f} | {after} "
        f"| {took.mib:.0f} | {largest:.1e} | {rms:.4f} |"
    )


def table(chosen: list[str], scenes: dict[str, Path], repeats: int) -> None:
    """Measure, and print a table in Markdown."""
    print("| method | slices | wall ms/slice | CPU ms/slice | CPU, ours = 1 | projections/s ", end="")
    print("| after the last | MiB | max error | rms from the phantom |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|", flush=True)
    ours_s = 0.0
    for name in chosen:
        path = scenes[ALL[name][0]]
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as pool:
            try:
                took = pool.submit(measure, name, path, repeats).result()
            except (ImportError, BadInput) as error:
                print(f"| {name} | left out: {error} |", flush=True)
                continue
        scene = load_scene(path)
        ours_s = ours_s or took.cpu_s / scene.lines.shape[1]
        print(row_of(name, took, scene, ours_s), flush=True)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--columns", type=int, default=512)
    parser.add_argument("--angles", type=int, default=720)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--peer-rows", type=int, default=2, help="slices for the slow ones")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--torch", action="store_true", help="also plain torch on the CPU, which is slow")
    parser.add_argument("--only", nargs="*", help="methods whose names contain one of these words")
    options = parser.parse_args()
    is_wanted = {"slow": options.torch, "tomopy": bool(TOMOPY_PYTHON)}
    chosen = [
        name
        for name, (rows, _) in ALL.items()
        if is_wanted.get(rows, True) and (not options.only or any(word in name for word in options.only))
    ]
    scene = make_scene(options.columns, options.angles, options.rows)
    few = min(options.peer_rows, options.rows)
    with tempfile.TemporaryDirectory() as folder:
        everything = save_scene(scene, Path(folder) / "all")
        scenes = {
            "all": everything,
            "tomopy": everything,
            "few": save_scene(scene.first_rows(few), Path(folder) / "few"),
            "odd": save_scene(make_scene(options.columns + 1, options.angles, few), Path(folder) / "odd"),
        }
        scenes["slow"] = scenes["few"]
        table(chosen, scenes, options.repeats)
    report_ceilings(scene)
    share = preview_share(scene)
    print(f"three orthogonal slices after every 24 projections: {share:.2%} of the stream's CPU time")


if __name__ == "__main__":
    main()
