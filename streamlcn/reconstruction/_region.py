"""The part of the detector that is reconstructed, and the size of its pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from streamlcn.errors import BadInput
from streamlcn.model import Reference
from streamlcn.reconstruction.settings import CorrectionSettings

__all__ = ["Region", "binned"]


@dataclass(frozen=True, slots=True)
class Region:
    """Rows and columns of the detector that are kept, and how many pixels per side become one.

    Centres are told to the world in pixels of the whole detector; inside, in binned columns of the region.
    """

    rows: slice
    columns: slice
    binning: int

    @classmethod
    def of(cls, settings: CorrectionSettings, detector_shape: tuple[int, int]) -> Region:
        """Return the region on a detector (row, column); raises `BadInput` when nothing is left."""
        crop, size = settings.crop, settings.binning
        rows = _part("row", crop.row_start, crop.row_stop, detector_shape[0], size)
        columns = _part("column", crop.column_start, crop.column_stop, detector_shape[1], size)
        return cls(rows, columns, size)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns after binning."""
        height, width = self.rows.stop - self.rows.start, self.columns.stop - self.columns.start
        return height // self.binning, width // self.binning

    def cut(self, pixels: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the region of a frame (row, column), a view."""
        return pixels[self.rows, self.columns]

    def cut_reference(self, reference: Reference) -> Reference:
        """Return the reference of the region."""
        after = reference.flat_after
        return Reference(
            dark=self.cut(reference.dark),
            flat=self.cut(reference.flat),
            flat_after=None if after is None else self.cut(after),
        )

    def inner(self, centre_px: float) -> float:
        """Return a column of the detector in binned columns of the region."""
        return (centre_px - self.columns.start + 0.5) / self.binning - 0.5

    def outer(self, centre_px: float) -> float:
        """Return a binned column of the region as column of the detector."""
        return (centre_px + 0.5) * self.binning - 0.5 + self.columns.start


def binned(frame: npt.NDArray[np.float32], size: int) -> npt.NDArray[np.float32]:
    """Return the mean over squares of ``size`` pixels, (row, column) float32."""
    if size == 1:
        return frame
    rows, columns = frame.shape
    mean: npt.NDArray[np.float32] = frame.reshape(rows // size, size, columns // size, size).mean(axis=(1, 3))
    return mean


def _part(name: str, start: int, stop: int | None, count: int, binning: int) -> slice:
    last = count if stop is None else stop
    if last > count:
        raise BadInput(
            f"the crop ends at {name} {last}, but the detector has {count}: mend the profile's crop"
        )
    kept = (last - start) // binning * binning
    if kept < 1:
        raise BadInput(
            f"crop and binning leave nothing of {count} detector {name}s "
            f"({name}s {start} to {last}, {binning} per voxel): mend the profile's crop"
        )
    return slice(start, start + kept)
