"""Time local thickness, components and `analyse` on a phantom beside other programs, in one run.

    python benchmarks/morphometry/compare.py --shape 256 256 256

porespy and localthickness take part where they are installed. Exact means: equal to this project's map, which
tests compare with brute force. Times are process CPU seconds after one warm-up; memory is the peak so far.
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np


def phantom(shape: tuple[int, int, int], seed: int = 1) -> np.ndarray:
    """Bone (1) with ellipsoidal lacunae and wandering canaliculi (2), 17 lacunae in 512x512x420."""
    random = np.random.default_rng(seed)
    labels = np.ones(shape, np.uint8)
    count = max(2, round(17 * np.prod(shape) / (512 * 512 * 420)))
    for centre in random.uniform(0, np.array(shape) - 1, size=(count, 3)):
        stamp(labels, centre, np.array([38.0, 22.0, 16.5]))
        for _ in range(40):
            point, direction = centre.copy(), random.normal(size=3)
            radius = random.uniform(1.1, 2.4)
            for _ in range(int(random.uniform(60, 260))):
                direction /= np.linalg.norm(direction)
                point += direction
                direction += random.normal(size=3) * 0.09
                if (point < 0).any() or (point >= np.array(shape) - 1).any():
                    break
                stamp(labels, point, np.full(3, radius))
    return labels


def stamp(labels: np.ndarray, centre: np.ndarray, semi: np.ndarray) -> None:
    low = np.maximum(np.floor(centre - semi), 0).astype(int)
    high = np.minimum(np.ceil(centre + semi) + 1, labels.shape).astype(int)
    z, y, x = (((np.arange(a, b) - c) / s) ** 2 for a, b, c, s in zip(low, high, centre, semi, strict=True))
    inside = z[:, None, None] + y[:, None] + x <= 1
    labels[tuple(map(slice, low, high))][inside] = 2


def timed(name: str, task: Callable[[], Any], base: float | None = None) -> tuple[float, Any]:
    wall, cpu = time.perf_counter(), time.process_time()
    out = task()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    ratio = "" if base is None else f"{cpu / base:8.1f} x"
    print(f"{name:36s} {cpu:8.2f} CPU s {wall:8.2f} s {peak:6.2f} GB {ratio}", flush=True)
    return cpu, out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", nargs=3, type=int, default=(256, 256, 256))
    shape = tuple(parser.parse_args().shape)

    from streamlcn.morphometry import analyse, components, local_thickness

    labels = phantom(shape)
    mask = labels == 2
    print(f"{shape}, {mask.sum() / 1e6:.2f} M voxels of LCN")
    analyse(phantom((64, 64, 64)), 0.094)  # warm-up: compile
    timed("streamlcn analyse (all of measure)", lambda: analyse(labels, 0.094))
    base, ours = timed("streamlcn local_thickness", lambda: local_thickness(mask, 1.0))
    peers(mask, base, ours)
    base, _ = timed("streamlcn components (cc3d)", lambda: components(mask, 26))
    from scipy import ndimage
    from skimage import measure

    timed("scipy label", lambda: ndimage.label(mask, np.ones((3, 3, 3))), base)
    timed("scikit-image label", lambda: measure.label(mask, connectivity=3), base)


def peers(mask: np.ndarray, base: float, ours: np.ndarray) -> None:
    from scipy import ndimage

    timed("scipy distance transform only", lambda: ndimage.distance_transform_edt(mask), base)
    try:
        import localthickness
    except ImportError:
        print("localthickness: not installed")
    else:
        _, theirs = timed("localthickness", lambda: localthickness.local_thickness(mask), base)
        print(f"    mean ratio to exact {2 * theirs[mask].mean() / ours[mask].mean():.3f}")
    try:
        from porespy.filters import local_thickness as porespy_thickness
    except ImportError:
        print("porespy: not installed")
    else:
        _, theirs = timed("porespy", lambda: porespy_thickness(mask), base)
        print(f"    mean ratio to exact {2 * theirs[mask].mean() / ours[mask].mean():.3f}")


if __name__ == "__main__":
    main()
