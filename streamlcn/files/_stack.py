"""Frames of a scan file, read when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from streamlcn.model import FileSource

__all__ = ["FrameStack"]


class FrameStack:
    """Some frames of one HDF5 dataset as a read-only array (index, row, column).

    ``stack[i]`` and ``stack[i:j]`` read only those frames; ``numpy.asarray(stack)`` reads all.
    ``indices`` are the places of the frames in the dataset.
    """

    def __init__(self, dataset: h5py.Dataset, indices: npt.NDArray[np.intp]) -> None:
        self._dataset = dataset
        self.indices = indices
        self.path = Path(dataset.file.filename)
        self.dataset: str = dataset.name

    @property
    def shape(self) -> tuple[int, int, int]:
        """(index, row, column)."""
        _, rows, columns = self._dataset.shape
        return (len(self.indices), rows, columns)

    @property
    def dtype(self) -> np.dtype[Any]:
        """The type of the stored pixels."""
        return np.dtype(self._dataset.dtype)

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, key: int | slice) -> npt.NDArray[Any]:
        """Return frame ``key`` (row, column), or frames (index, row, column) for a slice."""
        if not isinstance(key, slice):
            return np.asarray(self._dataset[int(self.indices[key])])
        chosen = self.indices[key]
        if len(chosen) == 0:
            return np.empty((0, *self.shape[1:]), self.dtype)
        runs = np.split(chosen, np.flatnonzero(np.diff(chosen) != 1) + 1)
        parts = [np.asarray(self._dataset[int(run[0]) : int(run[-1]) + 1]) for run in runs]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def __iter__(self) -> Iterator[npt.NDArray[Any]]:
        return (self[index] for index in range(len(self)))

    def __array__(self, dtype: npt.DTypeLike | None = None, copy: bool | None = None) -> npt.NDArray[Any]:
        if copy is False:
            raise ValueError(f"frames of {self.path} are read from disk and cannot be had without a copy")
        return self[:] if dtype is None else self[:].astype(dtype, copy=False)

    def source(self, index: int) -> FileSource:
        """Return where frame ``index`` is, for a reader of frames."""
        return FileSource(path=self.path, dataset=self.dataset, index=int(self.indices[index]), swmr=False)
