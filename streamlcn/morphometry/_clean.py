"""From the labels of a network to the mask that is measured; every step says what it changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit, prange

from streamlcn.model import Label
from streamlcn.morphometry._components import label, sizes
from streamlcn.morphometry.settings import MorphometryParameters

__all__ = ["Cleaned", "clean", "dilated", "eroded"]

_Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """What is measured. ``filled`` marks the holes that became LCN; counts are voxels."""

    lcn: _Mask
    tissue: _Mask
    filled: _Mask
    labelled_lcn_voxels: int
    shade_off_merged_voxels: int
    islands_removed: int
    islands_removed_voxels: int
    holes_filled_voxels: int
    closing_added_voxels: int


def clean(labels: npt.NDArray[np.uint8], parameters: MorphometryParameters) -> Cleaned:
    """Merge shade-off into bone, drop islands, fill enclosed holes, close; in this order.

    ``labels`` (z, y, x) of `Label` values. Tissue is everything but background, as a mask: air outside the
    sample never enters a denominator.
    """
    tissue = labels != Label.BACKGROUND
    lcn = labels == Label.LCN
    labelled = int(np.count_nonzero(lcn))
    islands, island_voxels = _drop_islands(lcn, parameters.island_threshold_voxels)
    filled = _small_holes(lcn, parameters.hole_threshold_voxels)
    lcn |= filled
    tissue |= filled
    before = int(np.count_nonzero(lcn))
    if parameters.closing == "cross":
        lcn = _closed(lcn, tissue)
    return Cleaned(
        lcn=lcn,
        tissue=tissue,
        filled=filled,
        labelled_lcn_voxels=labelled,
        shade_off_merged_voxels=int(np.count_nonzero(labels == Label.SHADE_OFF)),
        islands_removed=islands,
        islands_removed_voxels=island_voxels,
        holes_filled_voxels=int(np.count_nonzero(filled)),
        closing_added_voxels=int(np.count_nonzero(lcn)) - before,
    )


def _drop_islands(lcn: _Mask, threshold: int) -> tuple[int, int]:
    """Clear components smaller than ``threshold`` in place; return their number and voxels."""
    labelled, count = label(lcn, 26)
    small = sizes(labelled, count) < threshold
    small[0] = False
    if not small.any():
        return 0, 0
    voxels = _clear(lcn.reshape(-1), labelled.reshape(-1), small)
    return int(small.sum()), int(voxels)


@njit(cache=True)
def _clear(flat: Any, labelled: Any, unwanted: Any) -> int:
    cleared = 0
    for n in range(flat.shape[0]):
        if unwanted[labelled[n]]:
            flat[n] = False
            cleared += 1
    return cleared


def _small_holes(lcn: _Mask, threshold: int) -> _Mask:
    """Return the 6-connected holes smaller than ``threshold`` that touch no face of the volume."""
    filled = np.zeros(lcn.shape, np.bool_)
    if threshold <= 0 or not lcn.any():
        return filled
    labelled, count = label(~lcn, 6)
    small = sizes(labelled, count) < threshold
    small[0] = False
    for axis in range(3):
        for side in (0, -1):
            small[np.unique(labelled.take(side, axis))] = False
    if small.any():
        _mark(filled.reshape(-1), labelled.reshape(-1), small)
    return filled


@njit(cache=True)
def _mark(flat: Any, labelled: Any, wanted: Any) -> None:
    for n in range(flat.shape[0]):
        if wanted[labelled[n]]:
            flat[n] = True


def _closed(lcn: _Mask, tissue: _Mask) -> _Mask:
    """Return the closing by the 6-neighbour cross, inside the tissue; nothing lies beyond the faces."""
    grown = dilated(np.pad(lcn, 1))
    closed: _Mask = eroded(grown)[1:-1, 1:-1, 1:-1] & tissue
    closed |= lcn
    return np.ascontiguousarray(closed)


def dilated(mask: _Mask) -> _Mask:
    """Return the mask one voxel out, over faces of voxels."""
    out = np.empty(mask.shape, np.bool_)
    _step(mask, out, wanted=True)
    return out


def eroded(mask: _Mask) -> _Mask:
    """Return the mask one voxel in, over faces of voxels; the faces of the volume do not erode it."""
    out = np.empty(mask.shape, np.bool_)
    _step(mask, out, wanted=False)
    return out


@njit(parallel=True, cache=True)
def _step(mask: Any, out: Any, wanted: bool) -> None:
    """Take ``wanted`` wherever the voxel or one of its 6 neighbours inside the volume has it."""
    depth, height, width = mask.shape
    for z in prange(depth):
        for y in range(height):
            for x in range(width):
                hit = mask[z, y, x] == wanted
                hit |= z > 0 and mask[z - 1, y, x] == wanted
                hit |= z + 1 < depth and mask[z + 1, y, x] == wanted
                hit |= y > 0 and mask[z, y - 1, x] == wanted
                hit |= y + 1 < height and mask[z, y + 1, x] == wanted
                hit |= x > 0 and mask[z, y, x - 1] == wanted
                hit |= x + 1 < width and mask[z, y, x + 1] == wanted
                out[z, y, x] = wanted if hit else not wanted
