"""What is compared: our reconstruction and its peers, each as a function of a scene.

Every function makes all rows of the scene that it is given and returns row 0 with what it took. Peers are
imported here and nowhere else; tomopy runs in the interpreter that STREAMLCN_TOMOPY_PYTHON names.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from benchmarks.reconstruction.scene import Scene
from streamlcn.model import Frame, FrameKind, Reference, Scan
from streamlcn.reconstruction import ReconstructionSettings, make_reconstructor

__all__ = ["ALL", "Took", "open_session", "peak_mib", "streamed"]

TOMOPY_PYTHON = os.environ.get("STREAMLCN_TOMOPY_PYTHON", "")
NOTHING = Reference(dark=np.zeros((1, 1), np.float32), flat=np.ones((1, 1), np.float32))
GRIDREC = """
import sys, time, json, resource, numpy as np, tomopy
lines, pad = np.load(sys.argv[1]), int(sys.argv[2])
n = lines.shape[2]; side = (pad * n - n) // 2
t = np.ascontiguousarray(np.pad(lines, ((0, 0), (0, 0), (side, side))).swapaxes(0, 1))
th = np.arange(len(lines)) * np.pi / len(lines)
def mib(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
def go():
    w, c = time.perf_counter(), time.process_time()
    v = tomopy.recon(t, th, center=n / 2 - 0.5 + side, sinogram_order=True, algorithm='gridrec',
                     ncore=int(sys.argv[4]), filter_name='ramlak', num_gridx=n, num_gridy=n)
    return time.perf_counter() - w, time.process_time() - c, v
before = mib(); runs = [go() for _ in range(3)]
print(json.dumps([*min(runs)[:2], mib() - before])); np.save(sys.argv[3], runs[0][2])
"""


@dataclass
class Took:
    """Row 0 (y, x), and seconds; ``after_s`` of wall and of CPU are left after the last projection.

    ``mib`` is given where memory is another process's.
    """

    image: npt.NDArray[np.float32]
    wall_s: float
    cpu_s: float
    after_s: tuple[float, float] | None = None
    mib: float | None = None


def cpu_s() -> float:
    """Return CPU seconds of this process and of its children that ended."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def peak_mib(of: str = "VmHWM") -> float:
    """Return the most memory that this process had since `/proc/self/clear_refs` was told 5, or ``VmRSS``."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith(of))


def open_session(scene: Scene, **method: object):  # type: ignore[no-untyped-def]
    """Return a session of ours, and its frames."""
    settings = ReconstructionSettings.model_validate(
        {"method": method, "centre": {"value": scene.centre}, "correction": {"median_radius_px": 0}}
    )
    scan = Scan(
        uid="benchmark",
        projection_count=len(scene.lines),
        detector_shape=scene.lines.shape[1:],
        voxel_size_um=1.0,
        is_line_integral=True,
    )
    frames = [
        Frame(kind=FrameKind.PROJECTION, index=i, angle_rad=float(angle), pixels=pixels)
        for i, (angle, pixels) in enumerate(zip(scene.angles_rad, scene.lines, strict=True))
    ]
    return make_reconstructor(settings).start(scan, NOTHING), frames


def streamed(scene: Scene, **method: object) -> Took:
    """Stream the scene through the port, and take slab by slab as it comes."""
    session, frames = open_session(scene, **method)
    with session:
        wall, cpu = time.perf_counter(), cpu_s()
        for frame in frames:
            session.add(frame)
        last = time.perf_counter(), cpu_s()
        slabs = list(session.finish())
        end = time.perf_counter(), cpu_s()
    after = end[0] - last[0], end[1] - last[1]
    return Took(slabs[0].voxels[0].copy(), end[0] - wall, end[1] - cpu, after)


def timed(lines: npt.NDArray[Any], make: Callable[[npt.NDArray[Any]], npt.NDArray[Any]]) -> Took:
    """Make a slice of each row of ``lines`` (index, row, column); return the first and what all took."""
    wall, cpu = time.perf_counter(), cpu_s()
    slices = [make(lines[:, row]) for row in range(lines.shape[1])]
    return Took(slices[0], time.perf_counter() - wall, cpu_s() - cpu)


def iradon(scene: Scene) -> Took:
    """scikit-image, one slice at a time. Its axis is column N // 2: right for an odd number of columns."""
    from skimage.transform import iradon

    degrees = np.rad2deg(scene.angles_rad)
    rows = scene.lines.astype(np.float64)
    return timed(rows, lambda lines: iradon(lines.T, degrees, filter_name="ramp", circle=True))


def algotom_fbp(scene: Scene) -> Took:
    """algotom's FBP on one thread: with more its sums depend on who comes first."""
    import numba
    from algotom.rec.reconstruction import fbp_reconstruction

    numba.set_num_threads(1)
    rest = {"angles": scene.angles_rad, "ratio": None, "filter_name": None, "apply_log": False}
    return timed(
        scene.lines, lambda lines: fbp_reconstruction(lines, scene.centre, gpu=False, ncore=1, **rest)
    )


def algotom_dfi(scene: Scene) -> Took:
    """algotom's direct Fourier inversion. For an even number of columns its axis is half a pixel off."""
    from algotom.rec.reconstruction import dfi_reconstruction

    rest = {"angles": scene.angles_rad, "ratio": None, "filter_name": None, "apply_log": False}
    return timed(scene.lines, lambda lines: dfi_reconstruction(lines, scene.centre, ncore=1, **rest))


def gridrec(scene: Scene, padding: int) -> Took:
    """tomopy.recon as users call it, in its own process and without our corrections; the best of three."""
    threads = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as folder:
        source, target = f"{folder}/lines.npy", f"{folder}/volume.npy"
        np.save(source, scene.lines)
        command = [TOMOPY_PYTHON, "-c", GRIDREC, source, str(padding), target, str(threads)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        wall, cpu, mib = json.loads(done.stdout.splitlines()[-1])
        return Took(np.load(target)[0], wall, cpu, mib=mib)


def ours(**method: object) -> Callable[[Scene], Took]:
    """Return a function that streams a scene by a method of ours."""
    return lambda scene: streamed(scene, **method)


ALL: dict[str, tuple[str, Callable[[Scene], Took]]] = {
    "fbp on cpu": ("all", ours(backend="fbp", device="cpu")),
    "fbp, merged angles": ("all", ours(backend="fbp", mode="merged")),
    "fbp on torch:cpu": ("slow", ours(backend="fbp", device="torch:cpu")),
    "astra strip": ("few", ours(backend="astra", projector="strip")),
    "astra linear": ("few", ours(backend="astra", projector="linear")),
    "scikit-image iradon": ("odd", iradon),
    "algotom fbp, one thread": ("few", algotom_fbp),
    "algotom dfi": ("odd", algotom_dfi),
    "tomopy gridrec, unpadded": ("tomopy", lambda scene: gridrec(scene, 1)),
    "tomopy gridrec, padded to 2 N": ("tomopy", lambda scene: gridrec(scene, 2)),
    "gridrec, corrected by us": ("tomopy", ours(backend="tomopy", python=TOMOPY_PYTHON)),
}
"""By name: which rows it makes, and how. ``few`` rows for the slow ones, ``odd`` with one column more."""
