"""The published study on a scan whose truth is known: 2 networks x 2 batch sizes x 5 numbers of slices.

    python benchmarks/segmentation/study.py WORK              # train what is missing, then report
    python benchmarks/segmentation/study.py WORK --report     # report on what is there

trains each network with the published recipe on 10, 20, 30, 50 or 70 labelled slices of one simulated
ANATOMIX scan (four fifths to learn from, one fifth to watch, drawn at random as published) and judges it on
the uppermost fifth of the scan, which none of them sees. Interrupted, it goes on where it stopped: a night on
2 cores may be needed. ``--base 64 --device cuda`` is the full width. Writes ``study.md`` and ``.png``.

Figures beside ours are from Silveira et al. 2024: epochs of their section 3.2 and the best model's accuracy
and loss. Theirs are of real scans, of other classes' shares and another implementation: compare trends.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import torch
from study_report import write_report

from streamlcn.segmentation import OtsuSegmenter, OtsuSettings, load_model
from streamlcn.training import PAPER, EpochRecord, TrainingSettings, train
from streamlcn.training._data import UNLABELLED, LabelledScan
from streamlcn.training._evaluate import confusion, evaluate_model, overlap
from streamlcn.training._quality import lcn_quality

NETWORKS, BATCHES, SLICES = ("sensor3d", "unet"), (32, 64), (10, 20, 30, 50, 70)
SCAN_SEED = 201
TEST_SHARE, GAP = 0.2, 4


def main() -> None:
    """Parse arguments, train the cells that are missing, report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--report", action="store_true", help="train nothing")
    parser.add_argument("--base", type=int, default=8, help="filters at full resolution; published: 64")
    parser.add_argument("--levels", type=int, default=4)
    parser.add_argument("--epochs", type=int, default=100, help="at most")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=NETWORKS)
    parser.add_argument("--batches", nargs="+", type=int, default=BATCHES)
    parser.add_argument("--slices", nargs="+", type=int, default=SLICES)
    parser.add_argument("--size", default="small", help="of the simulated scan")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    if not chosen.report:
        scan = _scan(chosen.work, chosen.size)
        _otsu(chosen.work, scan)
        settings = PAPER.model_copy(
            update={
                "base": chosen.base,
                "levels": chosen.levels,
                "epochs": chosen.epochs,
                "precision": chosen.precision,
                "split": PAPER.split.model_copy(update={"by": "slices"}),
            }
        )
        for network, batch, count in product(chosen.networks, chosen.batches, chosen.slices):
            _cell(
                chosen.work, scan, network, settings.model_copy(update={"batch": batch}), count, chosen.device
            )
    write_report(chosen.work)


def _scan(work: Path, size: str) -> LabelledScan:
    script = Path(__file__).with_name("simulated_data.py")
    options = ["--seeds", str(SCAN_SEED), "--plain", "--size", size, "--median", "2"]
    subprocess.run([sys.executable, str(script), str(work / "scan"), *options], check=True)
    with h5py.File(work / "scan" / f"anatomix_plain_{SCAN_SEED}_m2.h5") as file:
        volume, labels = file["volume"][()], file["labels"][()]
    volume_path = work / "scan" / "volume.npy"
    if not volume_path.exists():
        np.save(volume_path, volume)
    return LabelledScan(name="scan", volume=volume, labels=labels, voxel_size_um=None, sha256="")


def _test_slices(depth: int) -> npt.NDArray[np.intp]:
    return np.arange(depth - round(TEST_SHARE * depth), depth)


def _cell(
    work: Path, scan: LabelledScan, network: Any, settings: TrainingSettings, count: int, device: str
) -> None:
    """Train one cell and keep its figures in ``WORK/cells``."""
    key = f"{network}_base{settings.base}_batch{settings.batch}_slices{count}"
    told = work / "cells" / f"{key}.json"
    if told.exists():
        return
    data = work / "cells" / key / "data"
    data.mkdir(parents=True, exist_ok=True)
    test = _test_slices(len(scan.labels))
    labels = np.full_like(scan.labels, UNLABELLED)
    spread = np.linspace(0, test[0] - GAP - 1, count).round().astype(int)
    labels[spread] = scan.labels[spread]
    np.save(data / "scan.labels.npy", labels)
    if not (data / "scan.volume.npy").exists():
        (data / "scan.volume.npy").symlink_to((work / "scan" / "volume.npy").absolute())

    def say(record: EpochRecord, most: int) -> None:
        dice = " ".join(f"{value:.3f}" for value in record.validation_dice)
        print(
            f"{key}: epoch {record.epoch} of {most}, loss {record.validation_loss:.4f}, Dice {dice}",
            flush=True,
        )

    bundle = work / "cells" / key / "model"
    report = train(data, network, bundle, name=key, seed=1, settings=settings, device=device, progress=say)
    last = report.epochs[-1]
    judged = evaluate_model(load_model(bundle, device=device), [scan], {"scan": test})
    figures = {
        "network": network,
        "batch": settings.batch,
        "slices": count,
        "base": settings.base,
        "precision": settings.precision,
        "epochs": len(report.epochs),
        "ended_because": report.ended_because,
        "seconds": sum(record.seconds for record in report.epochs),
        "training_accuracy": float(np.mean(last.training_dice)),
        "training_loss": last.training_loss,
        "validation_accuracy": float(np.mean(last.validation_dice)),
        "validation_loss": last.validation_loss,
        "test_dice": judged.dice,
        "test_cl_dice": judged.scans[0].lcn.cl_dice if judged.scans[0].lcn else None,
    }
    told.write_text(json.dumps(figures, indent=1) + "\n")


def _otsu(work: Path, scan: LabelledScan) -> None:
    """Judge the published grey ranges, and Otsu's thresholds, on the same slices."""
    test = _test_slices(len(scan.labels))
    figures = {}
    for ranges, labels in _thresholded(scan.volume):
        dice, _ = overlap(confusion(scan.labels[test], labels[test]))
        quality = lcn_quality(scan.labels[test] == 2, labels[test] == 2)
        figures[ranges] = {"test_dice": dice, "test_cl_dice": quality.cl_dice if quality else None}
    (work / "otsu.json").write_text(json.dumps(figures, indent=1) + "\n")


def _thresholded(volume: npt.NDArray[np.float32]) -> Iterator[tuple[str, npt.NDArray[np.uint8]]]:
    for ranges in ("paper", "three"):
        segmenter = OtsuSegmenter(OtsuSettings(ranges=ranges))
        yield ranges, np.concatenate([mask.classes for mask in segmenter.segment(volume)])


if __name__ == "__main__":
    main()
