"""Whole volumes in one call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from streamlcn.errors import BadInput
from streamlcn.files._readers import open_volume
from streamlcn.files._writers import create_volume

__all__ = ["read_volume", "write_volume"]

_BLOCK_BYTES = 16 << 20


def read_volume(spec: str | Path) -> npt.NDArray[Any]:
    """Return the whole volume (z, y, x) in its stored dtype; see `open_volume`."""
    with open_volume(spec) as volume:
        return volume.read(0, volume.shape[0])


def write_volume(
    spec: str | Path, array: npt.ArrayLike, voxel_size_um: float | None = None, *, overwrite: bool = False
) -> None:
    """Write ``array`` (z, y, x) to ``spec``; see `create_volume`."""
    values = np.asarray(array)
    if values.ndim != 3:
        raise BadInput(f"{spec}: a volume is (z, y, x), this array has shape {values.shape}")
    step = max(1, _BLOCK_BYTES // max(1, values[:1].nbytes))
    with create_volume(
        spec, values.shape, values.dtype, voxel_size_um=voxel_size_um, overwrite=overwrite
    ) as volume:
        for start in range(0, len(values), step):
            volume.write(start, values[start : start + step])
