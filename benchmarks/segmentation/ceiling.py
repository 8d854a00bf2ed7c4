"""What limits the Dice of the LCN: its voxels, the median filter, or the network?

    python benchmarks/segmentation/ceiling.py DATA --model profiles/anatomix/model

For every volume of DATA (`simulated_data.py`): Dice of the LCN as segmented, of it lacunae (what survives an
opening of 3 voxels, grown by 2) and canaliculi (the rest), the share of missed voxels on the surface of the
true LCN, and the Dice of the truth itself after the blur of that median filter, cut at its best threshold.
The blur is that of a disc of r + 0.5 pixels in every projection, which in three dimensions is the transfer
function 2 J1(k a) / (k a) of |k|: a median of small contrasts is close to a mean. No noise, and no attempt to
undo it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from scipy.special import j1

from streamlcn.model import Label
from streamlcn.segmentation import load_model

Mask = npt.NDArray[np.bool_]
PAD = 4


def main() -> None:
    """Parse arguments, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    model = load_model(chosen.model)
    print("| scan | median, px | Dice LCN | lacunae | canaliculi | missed on the surface | truth, blurred |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for path in sorted(chosen.data.glob("*.h5")):
        with h5py.File(path) as file:
            truth = file["labels"][()] == Label.LCN
            found = model.segment(file["volume"][()]) == Label.LCN
            radius = int(file.attrs["median_radius_px"])
        large = _lacunae(truth)
        missed = truth & ~found
        numbers = [
            dice(truth, found),
            dice(truth & large, found & large),
            dice(truth & ~large, found & ~large),
            float((missed & ~ndimage.binary_erosion(truth)).sum() / max(1, missed.sum())),
        ]
        blurred = best_dice(truth, radius + 0.5) if radius else float("nan")
        cells = " | ".join(f"{value:.3f}" for value in [*numbers, blurred])
        print(f"| {path.stem} | {radius} | {cells.replace('nan', '')} |", flush=True)


def dice(one: Mask, other: Mask) -> float:
    """2 |A B| / (|A| + |B|)."""
    return float(2 * (one & other).sum() / max(1, one.sum() + other.sum()))


def best_dice(truth: Mask, disc_px: float) -> float:
    """Return the largest Dice of ``truth`` with itself blurred by a disc in every projection and cut."""
    padded = np.pad(truth.astype(np.float32), PAD, mode="edge")
    steps = [2 * np.pi * np.fft.fftfreq(count) for count in padded.shape[:2]]
    steps.append(2 * np.pi * np.fft.rfftfreq(padded.shape[2]))
    k = disc_px * np.sqrt(steps[0][:, None, None] ** 2 + steps[1][None, :, None] ** 2 + steps[2] ** 2)
    transfer = np.where(k > 1e-6, 2 * j1(k) / np.maximum(k, 1e-6), 1.0)
    spectrum = np.fft.rfftn(padded) * transfer
    blurred = np.fft.irfftn(spectrum, s=padded.shape, axes=(0, 1, 2))[PAD:-PAD, PAD:-PAD, PAD:-PAD]
    return max(dice(truth, blurred > threshold) for threshold in np.linspace(0.2, 0.7, 26))


def _lacunae(truth: Mask) -> Mask:
    """Return where lacunae are and what lies near them."""
    opened = ndimage.binary_dilation(ndimage.binary_erosion(truth, iterations=3), iterations=4)
    return np.asarray(ndimage.binary_dilation(opened & truth, iterations=2), np.bool_)


if __name__ == "__main__":
    main()
