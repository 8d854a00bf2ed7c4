"""What every frame of a scan is divided by: flats of before, of after, or on the way between them."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from streamlcn.errors import BadInput
from streamlcn.model import Reference
from streamlcn.reconstruction._reference import dead_pixels

__all__ = ["FlatField"]

Places: TypeAlias = tuple[npt.NDArray[np.intp], ...]


class FlatField:
    """Divides frames by the flat field and fills pixels that have no light from their neighbours.

    ``which`` is the profile's choice of flats; ``projection_count`` is needed to interpolate between them.
    Raises `BadInput` for a choice that this reference cannot serve.
    """

    def __init__(self, reference: Reference, which: str, projection_count: int | None) -> None:
        dead = dead_pixels(reference)
        self._dark = reference.dark
        self._first = self._span(_chosen_flat(reference, which), dead)
        self._change: npt.NDArray[np.float32] | None = None
        self._last_index = 1
        if which == "interpolate":
            if projection_count is None:
                raise BadInput(
                    "flats cannot be interpolated over a scan that does not say how many projections it has"
                )
            assert reference.flat_after is not None
            self._change = self._span(reference.flat_after, dead) - self._first
            self._last_index = max(projection_count - 1, 1)
        self._gain = 1 / self._first
        self._filled: tuple[Places, Places] | None = None
        if dead.any():
            self._filled = dead.nonzero(), _nearest_alive(dead)

    def transmission(self, pixels: npt.NDArray[Any], index: int | None) -> npt.NDArray[np.float32]:
        """Return (pixels - dark) / (flat - dark), (row, column) float32, of projection ``index``."""
        values = pixels.astype(np.float32)
        values -= self._dark
        if self._change is None:
            values *= self._gain
        else:
            if index is None:
                raise BadInput("flats are interpolated over the scan: say which projection this is")
            share = np.float32(min(max(index / self._last_index, 0.0), 1.0))
            values /= self._first + share * self._change
        if self._filled is not None:
            values[self._filled[0]] = values[self._filled[1]]
        return values

    def _span(self, flat: npt.NDArray[np.float32], dead: npt.NDArray[np.bool_]) -> npt.NDArray[np.float32]:
        return np.where(dead, np.float32(1), flat - self._dark).astype(np.float32)


def _chosen_flat(reference: Reference, which: str) -> npt.NDArray[np.float32]:
    after = reference.flat_after
    if which == "before" or (which == "mean" and after is None):
        return reference.flat
    if after is None:
        raise BadInput(
            f"the profile asks for flats {which!r}, but no flats taken after the scan are known: "
            "a stream has them only at its end; say 'before' or 'mean', or reconstruct from the stored scan"
        )
    if which == "after":
        return after
    if which == "interpolate":
        return reference.flat
    return ((reference.flat.astype(np.float64) + after) / 2).astype(np.float32)


def _nearest_alive(dead: npt.NDArray[np.bool_]) -> Places:
    """Return rows and columns of the living pixel that stands in for each dead one."""
    from scipy import ndimage

    nearest = ndimage.distance_transform_edt(dead, return_distances=False, return_indices=True)
    return tuple(axis[dead] for axis in nearest)
