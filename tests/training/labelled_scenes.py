"""Labelled volumes small enough to learn in seconds: bright bone in grey air, dark pores, a dim rim."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from streamlcn.model import Label


def scene(seed: int, *, shade: bool = True) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.uint8]]:
    """Return (volume, labels), 10 x 40 x 40."""
    rng = np.random.default_rng(seed)
    z, y, x = np.ogrid[:10, :40, :40]
    radius = np.hypot(y - 19.5, x - 19.5) + 0 * z
    labels = np.where(radius < 16, Label.BONE, Label.BACKGROUND).astype(np.uint8)
    if shade:
        labels[(radius < 16) & (radius > 12)] = Label.SHADE_OFF
    for _ in range(5):
        row, column = rng.integers(13, 27, 2)
        labels[((y - row) ** 2 + (x - column) ** 2 < 7) & (abs(z - rng.integers(2, 8)) < 4)] = Label.LCN
    grey = np.array([0.4, 1.0, 0.0, 0.7])[labels]
    return (grey + rng.normal(0, 0.08, grey.shape)).astype(np.float32), labels


def write(path: Path, volume: npt.NDArray[np.float32], labels: npt.NDArray[np.uint8]) -> None:
    with h5py.File(path, "w") as file:
        file["volume"], file["labels"] = volume, labels
        file.attrs["voxel_size_um"] = 0.25
