"""Does removing islands and closing, as published, help or harm the LCN?

    python benchmarks/segmentation/cleaning.py DATA --model profiles/anatomix/model

Segments every volume of DATA once and prints, for several ways of cleaning, what became of Dice, clDice,
centre lines, components and the volume of the LCN. Islands are 26-connected components, closing is by the
6-neighbour cross with the mask continued beyond the faces, as in `streamlcn.morphometry`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import torch
from ceiling import dice
from scipy import ndimage

from streamlcn.model import Label
from streamlcn.segmentation import load_model
from streamlcn.training._quality import lcn_quality

Mask = npt.NDArray[np.bool_]
WAYS = ((0, False), (27, False), (100, False), (500, False), (0, True), (100, True))


def main() -> None:
    """Parse arguments, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    model = load_model(chosen.model)
    print(
        "| scan | islands < | closing | Dice | clDice | precision | recall | components (true) | porosity |"
    )
    print("|---|--:|---|--:|--:|--:|--:|--:|--:|")
    for path in sorted(chosen.data.glob("*.h5")):
        with h5py.File(path) as file:
            labels, truth = model.segment(file["volume"][()]), file["labels"][()] == Label.LCN
        lcn, tissue = labels == Label.LCN, labels != Label.BACKGROUND
        for islands, is_closing in WAYS:
            cleaned = without_islands(lcn, islands)
            cleaned = closed(cleaned) & tissue if is_closing else cleaned
            found = lcn_quality(truth, cleaned)
            if found is None:
                continue
            numbers = [dice(truth, cleaned), found.cl_dice, found.skeleton_precision, found.skeleton_recall]
            cells = " | ".join(f"{value:.3f}" for value in numbers)
            error = cleaned.sum() / truth.sum() - 1
            print(
                f"| {path.stem} | {islands} | {'cross' if is_closing else 'none'} | {cells} "
                f"| {found.components} ({found.components_true}) | {100 * error:+.1f} % |",
                flush=True,
            )


def without_islands(mask: Mask, voxels: int) -> Mask:
    """Drop components smaller than ``voxels``."""
    if not voxels:
        return mask
    numbered, _ = ndimage.label(mask, np.ones((3, 3, 3)))
    keep = np.bincount(numbered.ravel()) >= voxels
    keep[0] = False
    return np.asarray(keep[numbered], np.bool_)


def closed(mask: Mask) -> Mask:
    """Close by the cross; the mask goes on beyond the faces."""
    padded = np.pad(mask, 2, mode="edge")
    return np.asarray(ndimage.binary_closing(padded)[2:-2, 2:-2, 2:-2], np.bool_)


if __name__ == "__main__":
    main()
