"""Training data on disk."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from labelled_scenes import scene, write

# Networks this small gain nothing from threads, which burn the processor where other processes use it too.
torch.set_num_threads(1)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Six scans as NAME.h5."""
    folder = tmp_path / "data"
    folder.mkdir()
    for seed in range(6):
        write(folder / f"bone{seed}_m0.h5", *scene(seed))
    return folder
