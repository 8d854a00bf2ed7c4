"""Processor seconds of what a scan costs besides back-projection: constants of the model in docs/scale.md.

    python benchmarks/scale/stages.py [--side 2048]

One thread each; the least of three.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from streamlcn.distributed._files import checksum, keep_lines, read_rows
from streamlcn.model import Reference
from streamlcn.profile import load_profile
from streamlcn.reconstruction import Correction
from streamlcn.reconstruction._filter import FilterGeometry, RowFilter
from streamlcn.reconstruction.settings import CorrectionSettings
from streamlcn.segmentation import load_model


def processor_s(work: Callable[[], Any]) -> float:
    """Return the seconds of one processor that ``work`` needs."""
    seconds = []
    for _ in range(3):
        started = time.process_time()
        work()
        seconds.append(time.process_time() - started)
    return min(seconds)


def main() -> None:
    """Measure and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=2048)
    side = parser.parse_args().side
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    raw = rng.integers(8000, 12000, (side, side)).astype(np.uint16)
    reference = Reference(
        dark=np.zeros((side, side), np.float32), flat=np.full((side, side), 12e3, np.float32)
    )
    told: dict[str, Any] = {"side": side}
    for radius in (0, 2):
        correction = Correction(CorrectionSettings(median_radius_px=radius), reference)
        told[f"correct a frame, median radius {radius}"] = processor_s(
            lambda use=correction: use.line_integrals(raw, 0)
        )
    lines = correction.line_integrals(raw, 0)
    row_filter = RowFilter(FilterGeometry.around(side, (side - 1) / 2), "ramlak", "edge")
    told["filter a frame"] = processor_s(lambda: row_filter(lines))
    told["filter 64 rows"] = processor_s(lambda: row_filter(lines[:64]))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)

        def keep() -> str:
            for file in folder.iterdir():
                file.unlink()
            return keep_lines(folder, lines)

        told["keep a frame's lines"] = processor_s(keep)
        path = folder / keep()
        told["read 64 rows"] = processor_s(lambda: read_rows(path, 0, 64))
    told["check 1 GB"] = processor_s(lambda: checksum(lines)) / lines.nbytes * 1e9
    profile = load_profile("anatomix")
    model = load_model(profile.folder / "model", device="cpu")
    volume = rng.normal(size=(6, min(side, 1024), min(side, 1024))).astype(np.float32)
    scale = model.manifest.normalisation.scale(volume)
    shape: Any = volume.shape
    told["label a million voxels"] = processor_s(
        lambda: model.label_rows(lambda z: volume[z], shape, scale, 1, 5)
    ) / (volume[1:5].size / 1e6)
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
