"""Voxels per second: ours, against naive windows and MONAI's sliding window, on the same weights.

    python benchmarks/segmentation/throughput.py profiles/anatomix/model --shape 8 256 256 --threads 1

Seconds are of the processor (all threads together), since other processes may share it; wall time is beside
them. ``naive``: each window of three slices goes through the network whole, as a training loop would do it.
``monai``: `monai.inferers.sliding_window_inference` over each slice with its neighbours as channels, patches
of 128 that overlap by a quarter; left out where MONAI is not installed. Agreement is the share of labels
that equal those of naive windows.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import torch

from streamlcn.segmentation import Model, load_model
from streamlcn.segmentation._inference import padded

PATCH_PX = 128
OVERLAP = 0.25


def main() -> None:
    """Parse arguments, time each way, print a table or JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--shape", type=int, nargs=3, default=(8, 256, 256), metavar=("Z", "Y", "X"))
    parser.add_argument("--scan", type=Path, help="take the middle of this file's /volume, not random blobs")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    volume = (
        _volume(tuple(chosen.shape)) if chosen.scan is None else _middle(chosen.scan, tuple(chosen.shape))
    )
    rows = _rows(chosen.bundle, volume, chosen.device)
    if chosen.json:
        print(json.dumps({"threads": chosen.threads, "shape": chosen.shape, "rows": rows}, indent=1))
        return
    print(f"{'way':<16}{'Mvoxel/s':>9}{'CPU s':>8}{'wall s':>8}{'agreement':>11}")
    for row in rows:
        numbers = f"{row['mvoxel_per_s']:>9.3f}{row['cpu_s']:>8.1f}{row['wall_s']:>8.1f}"
        print(f"{row['way']:<16}{numbers}{row['agreement']:>11.5f}")


def _rows(bundle: Path, volume: npt.NDArray[np.float32], device: str) -> list[dict[str, Any]]:
    model = load_model(bundle, device=device)
    fast = load_model(bundle, device=device, precision="bfloat16")
    ways: dict[str, Callable[[], npt.NDArray[Any]]] = {
        "naive": lambda: _naive(model, volume),
        "ours": lambda: model.segment(volume),
        "ours, bfloat16": lambda: fast.segment(volume),
    }
    try:
        from monai.inferers import sliding_window_inference
    except ImportError:
        pass
    else:
        ways["monai"] = lambda: _monai(model, volume, sliding_window_inference)
    rows: list[dict[str, Any]] = []
    reference: npt.NDArray[Any] | None = None
    for way, run in ways.items():
        wall, cpu = time.perf_counter(), time.process_time()
        labels = run()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        reference = labels if reference is None else reference
        spent = wall if device.startswith("cuda") else cpu
        rows.append(
            {
                "way": way,
                "mvoxel_per_s": volume.size / spent / 1e6,
                "cpu_s": cpu,
                "wall_s": wall,
                "agreement": float((labels == reference).mean()),
            }
        )
    return rows


def _volume(shape: tuple[int, int, int]) -> npt.NDArray[np.float32]:
    """Bright and dark blobs with noise: labels of all classes, so that agreement means something."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(3)
    smooth = gaussian_filter(rng.standard_normal(shape), (2, 6, 6))
    return (smooth / smooth.std() + 0.3 * rng.standard_normal(shape)).astype(np.float32)


def _middle(path: Path, shape: tuple[int, int, int]) -> npt.NDArray[np.float32]:
    with h5py.File(path) as file:
        volume = file["volume"]
        starts = [max(0, (size - wanted) // 2) for size, wanted in zip(volume.shape, shape, strict=True)]
        z, y, x = (slice(first, first + wanted) for first, wanted in zip(starts, shape, strict=True))
        return np.asarray(volume[z, y, x], np.float32)


def _windows(model: Model, volume: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Normalised and padded windows (z, 3, y, x); end slices are repeated."""
    scale = model.manifest.normalisation.scale(volume)
    planes = np.stack([padded(scale(plane), model.manifest.network.multiple) for plane in volume])
    above, below = np.minimum(np.arange(len(planes)) + 1, len(planes) - 1), np.arange(len(planes)) - 1
    return np.stack([planes[np.maximum(below, 0)], planes, planes[above]], axis=1)


def _values(model: Model, classes: npt.NDArray[Any], shape: tuple[int, ...]) -> npt.NDArray[np.uint8]:
    from streamlcn.model import CLASS_NAMES

    values = np.array([CLASS_NAMES.index(name) for name in model.manifest.classes], np.uint8)
    return values[classes[:, : shape[1], : shape[2]]]


def _predict(model: Model, windows: torch.Tensor) -> torch.Tensor:
    out: torch.Tensor = model.network(windows if model.manifest.network.window == 3 else windows[:, 1:2])
    return out


def _naive(model: Model, volume: npt.NDArray[np.float32]) -> npt.NDArray[np.uint8]:
    labels = []
    with torch.inference_mode():
        for window in _windows(model, volume):
            logits = _predict(model, torch.from_numpy(window)[None].to(model.device))
            labels.append(logits.argmax(dim=1)[0].cpu().numpy())
    return _values(model, np.stack(labels), volume.shape)


def _monai(
    model: Model, volume: npt.NDArray[np.float32], slide: Callable[..., torch.Tensor]
) -> npt.NDArray[np.uint8]:
    labels = []
    with torch.inference_mode():
        for window in _windows(model, volume):
            logits = slide(
                torch.from_numpy(window)[None].to(model.device),
                (PATCH_PX, PATCH_PX),
                4,
                lambda patches: _predict(model, patches),
                overlap=OVERLAP,
                mode="gaussian",
            )
            labels.append(logits.argmax(dim=1)[0].cpu().numpy())
    return _values(model, np.stack(labels), volume.shape)


if __name__ == "__main__":
    main()
