"""One simulated scan for an experiment, and training data with some of its slices labelled."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from streamlcn.files import write_volume
from streamlcn.training._data import UNLABELLED, LabelledScan, read_scan

__all__ = ["labelled_folder", "plain_scan"]


def plain_scan(work: Path, instrument: str, seed: int, size: str = "small", median: int = 2) -> LabelledScan:
    """Return a scan of the instrument as its file describes it; it is kept in ``work`` and made only once."""
    script = Path(__file__).with_name("simulated_data.py")
    options = ["--instrument", instrument, "--seeds", str(seed), "--plain", "--size", size]
    command = [sys.executable, str(script), str(work), *options, "--median", str(median)]
    subprocess.run(command, check=True, stdout=sys.stderr)
    stem = f"{instrument}_plain_{seed}_m{median}"
    return read_scan(stem, f"{work / stem}.h5:/volume", f"{work / stem}.h5:/labels")


def labelled_folder(folder: Path, scan: LabelledScan, slices: Iterable[int]) -> Path:
    """Write the scan as training data of which only these slices are labelled, with the truth."""
    chosen = np.array(sorted(slices))
    labels = np.full_like(scan.labels, UNLABELLED)
    labels[chosen] = scan.labels[chosen]
    folder.mkdir(parents=True, exist_ok=True)
    write_volume(folder / "scan.volume.npy", scan.volume, overwrite=True)
    write_volume(folder / "scan.labels.npy", labels, overwrite=True)
    return folder
