"""Our reconstruction and its peers on the same sinograms, in one run.

    python -m benchmarks.reconstruction.peers

From the root of the repository. Peers are measured where they can be imported; tomopy in the interpreter
that STREAMLCN_TOMOPY_PYTHON names. CPU time is the safer figure on a machine that others use. Errors are the
largest difference from a float64 filtered back-projection of the same discretisation, and the rms difference
from the phantom, both over the maximum, within 0.98 of the circle.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.reconstruction.scene import Scene, inside, make_scene, reference_float64
from streamlcn.errors import BadInput
from streamlcn.model import Frame, FrameKind, Reference, Scan
from streamlcn.reconstruction import ReconstructionSettings, make_reconstructor

TOMOPY_PYTHON = os.environ.get("STREAMLCN_TOMOPY_PYTHON", "")
NOTHING = Reference(dark=np.zeros((1, 1), np.float32), flat=np.ones((1, 1), np.float32))
GRIDREC = """
import sys, time, json, numpy as np, tomopy
lines, pad = np.load(sys.argv[1]), int(sys.argv[2])
n = lines.shape[2]; side = (pad * n - n) // 2
t = np.ascontiguousarray(np.pad(lines, ((0, 0), (0, 0), (side, side))).swapaxes(0, 1))
th = np.arange(len(lines)) * np.pi / len(lines)
def go():
    return tomopy.recon(t, th, center=n / 2 - 0.5 + side, sinogram_order=True, algorithm='gridrec', ncore=2,
                        filter_name='ramlak', num_gridx=n, num_gridy=n)
go(); w, c = time.perf_counter(), time.process_time(); v = go()
print(json.dumps([time.perf_counter() - w, time.process_time() - c])); np.save(sys.argv[3], v)
"""


@dataclass
class Result:
    """Seconds and volume of one method; ``after_s`` is what is left after the last projection."""

    name: str
    slices: int
    wall_s: float
    cpu_s: float
    volume: npt.NDArray[np.float32]
    after_s: float | None = None
    projections: int = 0
    scene: Scene | None = None  # where it is not the common one


def cpu_s() -> float:
    """Return CPU seconds of this process and of its children that ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def streamed(scene: Scene, name: str, **method: object) -> Result:
    """Stream the scene through the port."""
    settings = ReconstructionSettings.model_validate(
        {
            "method": method,
            "centre": {"value": scene.centre},
            "correction": {"median_radius_px": 0},
        }
    )
    rows, columns = scene.lines.shape[1:]
    scan = Scan(
        uid="benchmark",
        projection_count=len(scene.lines),
        detector_shape=(rows, columns),
        voxel_size_um=1.0,
        is_line_integral=True,
    )
    with make_reconstructor(settings).start(scan, NOTHING) as session:
        wall, cpu = time.perf_counter(), cpu_s()
        for i, (angle, pixels) in enumerate(zip(scene.angles_rad, scene.lines, strict=True)):
            session.add(Frame(kind=FrameKind.PROJECTION, index=i, angle_rad=float(angle), pixels=pixels))
        last = time.perf_counter()
        volume = np.concatenate([slab.voxels for slab in session.finish()])
        end = time.perf_counter()
    return Result(name, rows, end - wall, cpu_s() - cpu, volume, end - last, len(scene.lines))


def preview_share(scene: Scene) -> float:
    """Return the CPU time of three orthogonal slices after every 24 projections over the stream's."""
    settings = ReconstructionSettings.model_validate(
        {"centre": {"value": scene.centre}, "correction": {"median_radius_px": 0}}
    )
    rows, columns = scene.lines.shape[1:]
    scan = Scan(
        uid="p", projection_count=None, detector_shape=(rows, columns), voxel_size_um=1, is_line_integral=True
    )
    spent, begin = 0.0, time.process_time()
    with make_reconstructor(settings).start(scan, NOTHING) as session:
        for i, (angle, pixels) in enumerate(zip(scene.angles_rad, scene.lines, strict=True)):
            session.add(Frame(kind=FrameKind.PROJECTION, index=i, angle_rad=float(angle), pixels=pixels))
            if (i + 1) % 24 == 0:  # nothing waits then that would count as the preview's work
                mark = time.process_time()
                session.preview_slices()  # type: ignore[attr-defined]
                spent += time.process_time() - mark
        list(session.finish())
    return spent / (time.process_time() - begin)


def skimage_iradon(scene: Scene, rows: int) -> Result:
    """scikit-image, one slice at a time. Its axis is column N // 2, ours only where N is odd."""
    from skimage.transform import iradon

    odd = make_scene(scene.lines.shape[2] + 1, len(scene.lines), rows)
    degrees = np.rad2deg(odd.angles_rad)
    wall, cpu = time.perf_counter(), cpu_s()
    slices = [
        iradon(odd.lines[:, z].T.astype(np.float64), degrees, filter_name="ramp", circle=True)
        for z in range(rows)
    ]
    volume = np.stack(slices).astype(np.float32)
    took = time.perf_counter() - wall, cpu_s() - cpu
    return Result("scikit-image iradon", rows, *took, volume, scene=odd)


def gridrec_as_it_comes(scene: Scene, rows: int, padding: int) -> Result:
    """tomopy.recon as users call it, in its own process and without our corrections."""
    import json
    import subprocess
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        source, target = f"{folder}/lines.npy", f"{folder}/volume.npy"
        np.save(source, scene.lines[:, :rows])
        command = [TOMOPY_PYTHON, "-c", GRIDREC, source, str(padding), target]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        wall, cpu = json.loads(done.stdout.splitlines()[-1])
        label = "unpadded" if padding == 1 else f"padded to {padding} N"
        return Result(f"tomopy gridrec, {label}", rows, wall, cpu, np.load(target))


def errors_of(result: Result, scene: Scene, reference: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Return the largest difference from float64, and the rms from the phantom, over the maxima of both."""
    if result.scene is not None:
        scene, reference = result.scene, reference_float64(result.scene, 0)
    circle = inside(scene.lines.shape[2])
    image = result.volume[0]
    largest = np.abs(image - reference)[circle].max() / np.abs(reference[circle]).max()
    rms = np.sqrt(np.mean((image - scene.truth)[circle] ** 2)) / scene.truth.max()
    return float(largest), float(rms)


def report(results: list[Result], scene: Scene) -> None:
    """Print a table in Markdown."""
    ours, reference = results[0], reference_float64(scene, 0)
    print("| method | wall ms/slice | CPU ms/slice | CPU, ours = 1 | max error | rms from the phantom |")
    print("|---|--:|--:|--:|--:|--:|", flush=True)
    for r in results:
        largest, rms = errors_of(r, scene, reference)
        wall, cpu = 1000 * r.wall_s / r.slices, 1000 * r.cpu_s / r.slices
        ratio = (r.cpu_s / r.slices) / (ours.cpu_s / ours.slices)
        print(f"| {r.name} | {wall:.1f} | {cpu:.1f} | {ratio:.2f} | {largest:.1e} | {rms:.4f} |")
    updates = scene.lines.shape[2] ** 2 * ours.slices * ours.projections
    assert ours.after_s is not None
    print(
        f"\nfbp, filter included: {updates / ours.wall_s / 1e9:.1f} G voxel updates/s, "
        f"{updates / ours.cpu_s / 1e9:.1f} per CPU second; "
        f"{ours.projections / ours.wall_s:.0f} projections/s; "
        f"{ours.after_s / ours.wall_s:.1%} of the time after the last projection"
    )


def tried(what: Callable[[], Result], results: list[Result]) -> None:
    """Run one peer, or say why not."""
    try:
        results.append(what())
    except (ImportError, BadInput) as error:
        print(f"left out: {error}")


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--columns", type=int, default=512)
    parser.add_argument("--angles", type=int, default=720)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--peer-rows", type=int, default=2, help="slices for the slow ones")
    parser.add_argument("--torch", action="store_true", help="also plain torch on the CPU, which is slow")
    options = parser.parse_args()
    scene = make_scene(options.columns, options.angles, options.rows)
    few = Scene(scene.lines[:, : options.peer_rows], scene.angles_rad, scene.centre, scene.truth)
    warm = Scene(scene.lines[:50, :2], scene.angles_rad[:50], scene.centre, scene.truth)
    streamed(warm, "warm", backend="fbp", device="cpu")
    results = [streamed(scene, "fbp on cpu", backend="fbp", device="cpu")]
    if options.torch:
        tried(lambda: streamed(few, "fbp on torch:cpu", backend="fbp", device="torch:cpu"), results)
    tried(lambda: streamed(few, "astra strip", backend="astra", projector="strip"), results)
    tried(lambda: streamed(few, "astra linear", backend="astra", projector="linear"), results)
    tried(lambda: skimage_iradon(few, options.peer_rows), results)
    if TOMOPY_PYTHON:
        tried(lambda: gridrec_as_it_comes(scene, options.rows, 1), results)
        tried(lambda: gridrec_as_it_comes(scene, options.rows, 2), results)
        tried(lambda: streamed(scene, "gridrec, corrected", backend="tomopy", python=TOMOPY_PYTHON), results)
    report(results, scene)
    print(
        f"three orthogonal slices, 20 times a scan: {preview_share(scene, 20):.2%} of the stream's CPU time"
    )


if __name__ == "__main__":
    main()
