"""Stored scans: DXchange and NXtomo."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal

import h5py
import numpy as np
import numpy.typing as npt

from streamlcn.errors import BadInput
from streamlcn.files._stack import FrameStack

__all__ = ["ScanFile"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanFile:
    """One scan in an HDF5 file, open for reading; close it, or use it as a context manager.

    ``projections``, ``flats`` and ``darks`` are read on demand, (index, row, column); ``flats`` and ``darks``
    are empty only where ``is_line_integral`` holds. ``angles_rad`` has one entry per projection. What the
    file does not say with its unit is None.
    """

    path: Path
    format: Literal["dxchange", "nxtomo"]
    projections: FrameStack
    flats: FrameStack
    darks: FrameStack
    angles_rad: npt.NDArray[np.float64]
    voxel_size_um: float | None
    energy_kev: float | None
    phase_shift_rad: float | None
    is_line_integral: bool
    on_close: Callable[[], None]

    def __enter__(self) -> ScanFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; may be called twice."""
        self.on_close()


def checked_frames(file: h5py.File, path: str, expected_shape: tuple[int, ...] | None = None) -> h5py.Dataset:
    """Return the dataset of frames at ``path``.

    Raises `BadInput` where it is not (index, row, column) of real numbers or has other frames than expected.
    """
    where = f"{file.filename}:{path}"
    dataset = file.get(path)
    if not isinstance(dataset, h5py.Dataset):
        raise BadInput(
            f"{where} cannot be opened; if it links to another file, put that file beside this one"
        )
    if dataset.ndim != 3 or dataset.dtype.kind not in "iuf":
        raise BadInput(
            f"{where} is {dataset.dtype} of shape {dataset.shape}; "
            "frames are real numbers (index, row, column)"
        )
    if 0 in dataset.shape[1:]:
        raise BadInput(f"{where} has frames without pixels, shape {dataset.shape}")
    if expected_shape is not None and dataset.shape[1:] != expected_shape:
        raise BadInput(f"{where} has frames of {dataset.shape[1:]} pixels, the projections {expected_shape}")
    return dataset


def checked_angles(angles: npt.NDArray[np.float64], count: int, where: str) -> npt.NDArray[np.float64]:
    """Return ``angles`` as they are; raises `BadInput` unless there are ``count`` finite ones."""
    if angles.size != count:
        raise BadInput(f"{where} has {angles.size} angles for {count} frames: one angle per frame is needed")
    wrong = np.flatnonzero(~np.isfinite(angles))
    if len(wrong):
        raise BadInput(f"{where} is not a finite number for frame {wrong[0]} (and {len(wrong) - 1} more)")
    return angles


def require_references(path: str, flats: int, darks: int, *, is_line_integral: bool) -> None:
    """Raise `BadInput` where flats or darks are missing and needed."""
    missing = [name for name, count in (("flats", flats), ("darks", darks)) if count == 0]
    if missing and not is_line_integral:
        raise BadInput(
            f"{path} has no {' and no '.join(missing)}: counts cannot be normalised without. "
            "If its frames are line integrals already (-log of transmission), say so (is_line_integral)"
        )
