"""From ANATOMIX to P05 with twenty labelled slices: untouched, fine-tuned, and from scratch.

    python benchmarks/segmentation/transfer.py WORK [--epochs 40]

Figure 7 of Silveira et al. 2024 in numbers, on simulated scans whose truth is known. The bundled ANATOMIX
network (four classes) labels a P05 scan as it is (its shade-off counted as bone), then is fine-tuned to three
classes on 20 labelled slices of another P05 scan; a network of the same shape learns the same slices from
nothing, with the same recipe and seed. Both stop when the held-out loss has not fallen by 0.01 % for ten
epochs; ``reached`` is the first epoch whose held-out LCN Dice is within 0.005 of that training's best.
Judged on a third scan: all of it, and within 4 voxels of the true surface of the tissue, where the published
untouched network failed. Interrupted, it goes on where it stopped.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import torch
from one_scan import labelled_folder, plain_scan
from scipy import ndimage

from streamlcn.segmentation import load_model
from streamlcn.training import EpochRecord, TrainingSettings, finetune, train
from streamlcn.training._data import LabelledScan, merge_shade_off
from streamlcn.training._evaluate import confusion, overlap
from streamlcn.training._quality import lcn_quality

BUNDLE = Path(__file__).parents[2] / "profiles" / "anatomix" / "model"
LABELLED_SEED, TEST_SEED, SLICES = 301, 302, 20
EDGE_VOXELS, NEAR = 4, 0.005
RECIPE = TrainingSettings(patch_px=128, batch=4, steps_per_epoch=25, shade_off_is_bone=True, patience=10)


def main() -> None:
    """Train what is missing, judge all three, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--epochs", type=int, default=40, help="at most")
    chosen, scan, test = begin(parser)
    spread = np.linspace(0, len(scan.labels) - 1, SLICES).round().astype(int)
    data = labelled_folder(chosen.work / "data", scan, spread.tolist())
    shape = load_model(BUNDLE).network.config.shape
    rows = [("untouched", None, judged(BUNDLE, test))]
    for name in ("fine-tuned", "from scratch"):
        out = chosen.work / name.replace(" ", "-")
        rate = 1e-3 if name == "fine-tuned" else 4e-3
        settings = RECIPE.model_copy(update={"epochs": chosen.epochs, "learning_rate": rate, **shape})
        told = out.with_suffix(".json")
        if not told.exists():
            if name == "fine-tuned":
                report = finetune(data, BUNDLE, out, seed=1, settings=settings, progress=_say)
            else:
                report = train(data, "sensor3d", out, seed=1, settings=settings, progress=_say)
            told.write_text(json.dumps([epoch.validation_dice for epoch in report.epochs]))
        rows.append((name, json.loads(told.read_text()), judged(out, test)))
    print(table(rows))


def begin(parser: argparse.ArgumentParser) -> tuple[argparse.Namespace, LabelledScan, LabelledScan]:
    """Return the arguments, the P05 scan to label slices of, and the one to judge on."""
    parser.add_argument("work", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--size", default="slab", help="size of the simulated scans; slab: published voxel")
    parser.add_argument("--median", type=int, default=1, help="radius of the median filter, px")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    scan, test = (
        plain_scan(chosen.work / chosen.size, "p05", seed, chosen.size, chosen.median)
        for seed in (LABELLED_SEED, TEST_SEED)
    )
    return chosen, scan, merge_shade_off(test)


def judged(bundle: Path, test: LabelledScan) -> dict[str, float]:
    """Return Dice over all voxels and near the surface of the tissue, clDice, and porosity in per cent."""
    labels = load_model(bundle).segment(test.volume)
    labels[labels == 3] = 1
    tissue = test.labels != 0
    rim = (ndimage.distance_transform_edt(tissue) <= EDGE_VOXELS) & tissue
    rim |= (ndimage.distance_transform_edt(~tissue) <= EDGE_VOXELS) & ~tissue
    whole, _ = overlap(confusion(test.labels, labels))
    edge, _ = overlap(confusion(test.labels[rim], labels[rim]))
    quality = lcn_quality(test.labels == 2, labels == 2)
    return {
        **{f"{name}": whole[name] for name in ("background", "bone", "lcn")},
        **{f"{name}, rim": edge[name] for name in ("background", "bone", "lcn")},
        "clDice": quality.cl_dice if quality else 0.0,
        "porosity, %": 100 * float((labels == 2).sum() / (labels > 0).sum()),
        "true, %": 100 * float((test.labels == 2).sum() / tissue.sum()),
    }


def table(rows: list[tuple[str, list[list[float]] | None, dict[str, float]]]) -> str:
    """Return the rows in Markdown."""
    names = list(rows[0][2])
    lines = [
        "| network | epochs | reached | " + " | ".join(names) + " |",
        "|---|" + "--:|" * (2 + len(names)),
    ]
    for name, epochs, figures in rows:
        counts = ("", "") if epochs is None else (str(len(epochs)), str(reached(epochs)))
        lines.append(f"| {name} | " + " | ".join([*counts, *(f"{figures[key]:.3f}" for key in names)]) + " |")
    return "\n".join(lines)


def reached(epochs: list[list[float]]) -> int:
    """Return the first epoch, from 1, whose Dice of the LCN is within `NEAR` of the best."""
    lcn = np.array([dice[2] for dice in epochs])
    return int(np.argmax(lcn >= lcn.max() - NEAR)) + 1


def _say(record: EpochRecord, most: int) -> None:
    dice = " ".join(f"{value:.3f}" for value in record.validation_dice)
    print(f"epoch {record.epoch} of {most}: {record.validation_loss:.4f}, Dice {dice}", flush=True)


if __name__ == "__main__":
    main()
