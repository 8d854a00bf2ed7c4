"""Time and peak memory of morphometry beside porespy, localthickness, scikit-image, skan, SciPy, edt, cc3d.

    python -m benchmarks.morphometry.compare [--shape 256 256 256] [--repeats 3] [--markdown FILE]

From the root of the repository, with any Python that has this project's dependencies and the peers wanted;
those that are absent are named and left out. Every task runs in a process of its own on the same phantom
(17 lacunae in 420x512x512 voxels, 40 canaliculi each, 94 nm): after a warm-up on a small volume it is
repeated, in turn with the others, and the least CPU and wall seconds count. Memory is the process's peak,
volume included. Ratios are CPU seconds over ours, so that a busy machine disturbs them little.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

VOXEL_UM = 0.094


def ours_thickness(mask: np.ndarray) -> Any:
    from streamlcn.morphometry import local_thickness

    return local_thickness(mask, 1.0)


def porespy(mask: np.ndarray) -> Any:
    from porespy.filters import local_thickness

    return 2 * local_thickness(mask)


def local_thickness_full(mask: np.ndarray) -> Any:
    from localthickness import local_thickness

    return 2 * local_thickness(mask)


def local_thickness_half(mask: np.ndarray) -> Any:
    from localthickness import local_thickness

    return 2 * local_thickness(mask, scale=0.5)


def ours_inner(mask: np.ndarray) -> Any:
    from streamlcn.morphometry._inner import inner_squared_distance
    from streamlcn.morphometry._network import network_of

    return inner_squared_distance(network_of(mask))


def scipy_edt(mask: np.ndarray) -> Any:
    from scipy.ndimage import distance_transform_edt

    return distance_transform_edt(mask)


def edt_inner(mask: np.ndarray) -> Any:
    import edt

    return edt.edtsq(mask, parallel=os.cpu_count())


def ours_outer(mask: np.ndarray) -> Any:
    from streamlcn.morphometry._distance import DistanceTally
    from streamlcn.morphometry._network import network_of

    tally = DistanceTally(network_of(mask))
    for start in range(0, len(mask), 32):
        tally.add(start, ~mask[start : start + 32])
    return tally.counts


def scipy_outer(mask: np.ndarray) -> Any:
    from scipy.ndimage import distance_transform_edt

    return distance_transform_edt(~mask)[~mask]


def edt_outer(mask: np.ndarray) -> Any:
    import edt

    return np.bincount(edt.edtsq(~mask, parallel=os.cpu_count())[~mask].astype(np.int64))


def ours_label(mask: np.ndarray) -> Any:
    from streamlcn.morphometry._network import network_of
    from streamlcn.morphometry._runs import run_components

    return run_components(network_of(mask), 26).voxels


def cc3d_label(mask: np.ndarray) -> Any:
    import cc3d

    return np.bincount(cc3d.connected_components(mask, connectivity=26).ravel())[1:]


def scipy_label(mask: np.ndarray) -> Any:
    from scipy.ndimage import label

    return np.bincount(label(mask, np.ones((3, 3, 3)))[0].ravel())[1:]


def skimage_label(mask: np.ndarray) -> Any:
    from skimage.measure import label

    return np.bincount(label(mask, connectivity=3).ravel())[1:]


def ours_thin(mask: np.ndarray) -> Any:
    from streamlcn.morphometry._network import network_of
    from streamlcn.morphometry._thinning import thinned

    network = network_of(mask)
    return network.dense(thinned(network, network.places()))


def skimage_thin(mask: np.ndarray) -> Any:
    from skimage.morphology import skeletonize

    return skeletonize(mask, method="lee") > 0


def ours_graph(mask: np.ndarray) -> Any:
    from streamlcn.morphometry import skeleton

    return skeleton(mask, smoothing_voxels=0)["length"]


def skan_graph(mask: np.ndarray) -> Any:
    from skan import Skeleton
    from skimage.morphology import skeletonize

    return Skeleton(np.pad(skeletonize(mask, method="lee") > 0, 1)).path_lengths().sum()


def ours_measure(mask: np.ndarray) -> Any:
    from streamlcn.morphometry import measure

    return measure(np.where(mask, np.uint8(2), np.uint8(1)), VOXEL_UM)


def ours_streamed(mask: np.ndarray) -> Any:
    from streamlcn.morphometry import measure_streamed

    def read(start: int, stop: int) -> np.ndarray:
        return np.where(mask[start:stop], np.uint8(2), np.uint8(1))

    return measure_streamed(read, mask.shape, VOXEL_UM, slab_height=16)


Task = tuple[str, Callable[[np.ndarray], Any]]
GROUPS: dict[str, list[Task]] = {
    "local thickness": [
        ("streamlcn", ours_thickness), ("porespy bf", porespy),
        ("localthickness, half scale", local_thickness_half), ("localthickness", local_thickness_full),
    ],
    "distance to the outside": [("streamlcn", ours_inner), ("edt", edt_inner), ("scipy", scipy_edt)],
    "distance of bone to pores": [("streamlcn", ours_outer), ("edt", edt_outer), ("scipy", scipy_outer)],
    "component sizes": [
        ("streamlcn", ours_label), ("cc3d", cc3d_label), ("scikit-image", skimage_label),
        ("scipy", scipy_label),
    ],
    "thinning": [("streamlcn", ours_thin), ("scikit-image", skimage_thin)],
    "thinning and graph": [("streamlcn", ours_graph), ("scikit-image and skan", skan_graph)],
    "all of measure": [("streamlcn", ours_measure), ("streamlcn, streamed", ours_streamed)],
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--shape", nargs=3, type=int, default=(256, 256, 256))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--groups", nargs="*", default=list(GROUPS))
    parser.add_argument("--skip", nargs="*", default=[], help="programs to leave out, such as slow ones")
    parser.add_argument("--markdown", type=Path, help="append the table to this file")
    parser.add_argument("--task", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.task:
        child(*options.task)
        return
    for tasks in GROUPS.values():
        tasks[:] = [task for task in tasks if task[0] not in options.skip]
    with tempfile.TemporaryDirectory() as folder:
        text = parent(tuple(options.shape), options.repeats, options.groups, Path(folder) / "mask.npy")
    print(text)
    if options.markdown:
        with options.markdown.open("a", encoding="utf-8") as file:
            file.write(text)


def parent(shape: tuple[int, int, int], repeats: int, groups: list[str], path: Path) -> str:
    """Run every task in its own process; return the table."""
    from tests.morphometry.network_phantom import network_phantom

    lacunae = max(2, round(17 * np.prod(shape) / (420 * 512 * 512)))
    mask = network_phantom(shape, VOXEL_UM, lacunae, 40, seed=1).labels == 2
    np.save(path, mask)
    lines = [
        f"\n## {shape[0]}×{shape[1]}×{shape[2]} voxels, {mask.sum() / 1e6:.2f} million of them pores\n",
        f"{processor()}, {os.cpu_count()} threads, least of {repeats}, Python {platform.python_version()}; "
        f"load {os.getloadavg()[0]:.0f} at the start.\n",
        "| task | program | CPU s | wall s | peak GB | CPU ratio | agrees |",
        "|---|---|--:|--:|--:|--:|---|",
    ]
    for group in groups:
        lines += rows(group, repeats, path)
    return "\n".join(lines) + "\n"


def rows(group: str, repeats: int, path: Path) -> list[str]:
    """Take turns among the programs of a group, so that all see the same machine."""
    found: dict[str, list[dict[str, float]]] = {}
    out = []
    for _ in range(repeats):
        for name, _task in GROUPS[group]:
            if found.get(name) == []:
                continue
            result = run(group, name, path)
            found.setdefault(name, [])
            if result is not None:
                found[name].append(result)
                print(f"{group}: {name}: {result}", file=sys.stderr, flush=True)
    base = found["streamlcn"]
    for name, results in found.items():
        if not results:
            out.append(f"| {group} | {name} | not installed | | | | |")
            continue
        cpu, wall = (min(r[key] for r in results) for key in ("cpu", "wall"))
        peak = max(r["peak"] for r in results)
        ratio = cpu / min(r["cpu"] for r in base)
        same = agreement(group, results[0]["value"], base[0]["value"])
        out.append(f"| {group} | {name} | {cpu:.2f} | {wall:.2f} | {peak:.2f} | {ratio:.1f} | {same} |")
    return out


def agreement(group: str, value: float, ours: float) -> str:
    """Return how a program's answer relates to ours."""
    if value == ours:
        return "same"
    return f"{100 * (value / ours - 1):+.1f} % {'mean' if 'thickness' in group else ''}".strip()


def run(group: str, name: str, path: Path) -> dict[str, float] | None:
    """Run one task in a new process; None if its program is not installed."""
    command = [sys.executable, "-m", "benchmarks.morphometry.compare", "--task", group, name, str(path)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode == 3:
        return None
    done.check_returncode()
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def child(group: str, name: str, path: str) -> None:
    """Warm up, measure once, print one JSON object."""
    task = dict(GROUPS[group])[name]
    small = np.zeros((40, 40, 40), bool)
    small[10:30, 10:30, 10:30] = small[20, 20] = True
    try:
        task(small)
    except ImportError:
        sys.exit(3)
    mask = np.load(path)
    wall, cpu = time.perf_counter(), time.process_time()
    value = task(mask)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = peak_gb()
    print(json.dumps({"cpu": cpu, "wall": wall, "peak": peak, "value": number(group, value, mask)}))


def peak_gb() -> float:
    """Return the most memory this process has held; getrusage would count its parent's too."""
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM"):
            return float(line.split()[1]) / 1024**2
    raise OSError("/proc/self/status names no VmHWM: peak memory needs Linux")


def number(group: str, value: Any, mask: np.ndarray) -> float:
    """Return one number that tells whether two answers agree."""
    if group == "local thickness":
        return float(value[mask].mean(dtype=float))
    if group == "distance to the outside":
        return (
            float(value.max())
            if value.dtype.kind == "i" or value.max() > 100
            else float(round(value.max() ** 2))
        )
    if group == "distance of bone to pores":
        if value.dtype.kind == "i":
            return float(np.round(np.sqrt(np.arange(len(value))) @ value / value.sum(), 6))
        return float(np.round(value.mean(dtype=float), 6))
    if group == "all of measure":
        return float(value.lcn.porosity)
    return float(np.sum(np.asarray(value, dtype=float)))


def processor() -> str:
    """Return the name of the processor."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()


if __name__ == "__main__":
    main()
