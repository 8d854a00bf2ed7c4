"""An HDF5 file that grows by a frame at a time, laid out as EPICS areaDetector does it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

DATASET = "/entry/data/data"
TIMESTAMPS = "/entry/instrument/NDAttributes/NDArrayTimeStamp"


class FrameFile:
    """Frames and the times they were taken, readable while they are written.

    Parameters
    ----------
    shape
        Of one frame; () for a number.
    swmr
        True: single writer, multiple readers; a reader keeps the file open and refreshes. False: an older
        file format without flags or locks; a reader must close and open again to see more.
    """

    def __init__(
        self, path: str | Path, shape: tuple[int, ...], dtype: npt.DTypeLike, *, swmr: bool = True
    ) -> None:
        self.path = Path(path)
        self._file = (
            h5py.File(self.path, "w", libver="latest") if swmr else h5py.File(self.path, "w", locking=False)
        )
        self.chunk_shape = (1, *shape) if shape else (1024,)
        self._frames = self._file.create_dataset(
            DATASET, (0, *shape), dtype, maxshape=(None, *shape), chunks=self.chunk_shape
        )
        self._times = self._file.create_dataset(
            TIMESTAMPS, (0,), np.float64, maxshape=(None,), chunks=(1024,)
        )
        if swmr:
            self._file.swmr_mode = True
        self._is_swmr = swmr

    def append(self, pixels: npt.NDArray[Any], time_s: float) -> int:
        """Add a frame and flush it to disk; returns how many there are."""
        count = int(self._frames.shape[0])
        for dataset, value in ((self._times, time_s), (self._frames, pixels)):
            dataset.resize(count + 1, axis=0)
            dataset[count] = value
            if self._is_swmr:
                dataset.flush()
        if not self._is_swmr:
            self._file.flush()
        return count + 1

    def close(self) -> None:
        """Close the file; nothing happens if it is closed."""
        self._file.close()
