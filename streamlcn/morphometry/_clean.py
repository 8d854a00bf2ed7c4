"""From the labels of a network to the mask that is measured; every step says what it changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit, prange

from streamlcn.errors import BadInput
from streamlcn.model import Label
from streamlcn.morphometry._configurations import configuration_histogram
from streamlcn.morphometry._network import Network, NetworkBuilder
from streamlcn.morphometry._runs import complement, run_components, union
from streamlcn.morphometry._source import LabelSource
from streamlcn.morphometry.settings import MorphometryParameters
from streamlcn.progress import Progress, part_of, unheard

__all__ = ["Cleaned", "Counts", "clean", "dilated", "eroded"]

_Mask = npt.NDArray[np.bool_]


class Counts(NamedTuple):
    """What each step of cleaning found and changed."""

    background_voxels: int
    labelled_lcn_voxels: int
    shade_off_merged_voxels: int
    islands_removed: int
    islands_removed_voxels: int
    holes_filled_voxels: int
    closing_added_voxels: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaned:
    """What is measured: the network, the same moved one voxel in and out, and the holes that became LCN.

    ``configurations``: histogram of the 2x2x2 configurations of the network.
    """

    lcn: Network
    inner: Network
    outer: Network
    filled: Network
    tissue_voxels: int
    configurations: npt.NDArray[np.int64]
    counts: Counts


def clean(source: LabelSource, parameters: MorphometryParameters, tell: Progress = unheard) -> Cleaned:
    """Merge shade-off into bone, drop islands, fill enclosed holes, close; in this order.

    Tissue is everything but background, as a mask: air outside the sample never enters a denominator. Reads
    the source twice. Raises `BadInput` if no voxel is bone.
    """
    labelled, classes = _labelled(source, part_of(tell, 0, 0.45))
    parts = run_components(labelled, 26)
    is_island = parts.voxels < parameters.island_threshold_voxels
    kept = labelled.part_of_runs(~is_island[parts.number])
    filled = _small_holes(kept, parameters.hole_threshold_voxels)
    mended = union(kept, filled)
    is_closing = parameters.closing == "cross"
    closed = _close(source, mended, filled, part_of(tell, 0.5, 1), is_closing=is_closing)
    counts = Counts(
        background_voxels=int(classes[Label.BACKGROUND]),
        labelled_lcn_voxels=labelled.size,
        shade_off_merged_voxels=int(classes[Label.SHADE_OFF]),
        islands_removed=int(is_island.sum()),
        islands_removed_voxels=int(parts.voxels[is_island].sum()),
        holes_filled_voxels=filled.size,
        closing_added_voxels=closed.lcn.size - mended.size,
    )
    return Cleaned(filled=filled, counts=counts, **closed._asdict())


def _labelled(source: LabelSource, tell: Progress) -> tuple[Network, npt.NDArray[np.int64]]:
    """Return the network as labelled, and the voxels of each label."""
    builder, classes = NetworkBuilder(), np.zeros(len(Label), np.int64)
    for start, stop in source.bounds(tell):
        labels = source.slices(start, stop)
        for plane in labels:  # bincount widens what it is given: one slice at a time
            classes += np.bincount(plane.ravel(), minlength=len(Label))
        builder.add(labels == Label.LCN)
    if classes[Label.BONE] + classes[Label.SHADE_OFF] == 0:
        raise BadInput("no voxel of the label volume is bone: nothing to relate the network to")
    return builder.network(source.shape), classes


def _small_holes(network: Network, threshold: int) -> Network:
    """Return the 6-connected holes smaller than ``threshold`` that touch no face of the volume."""
    outside = complement(network)
    parts = run_components(outside, 6)
    is_hole = (parts.voxels < threshold) & ~parts.touches
    return outside.part_of_runs(is_hole[parts.number])


class _Closed(NamedTuple):
    lcn: Network
    inner: Network
    outer: Network
    tissue_voxels: int
    configurations: npt.NDArray[np.int64]


def _close(
    source: LabelSource, mended: Network, filled: Network, tell: Progress, *, is_closing: bool
) -> _Closed:
    """Close inside the tissue; move one voxel in and out; count tissue and configurations on the way."""
    lcn, inner, outer = NetworkBuilder(), NetworkBuilder(), NetworkBuilder()
    tissue_voxels, configurations = 0, np.zeros(256, np.int64)
    depth = source.shape[0]
    for start, stop in source.bounds(tell):
        low, high = max(start - 1, 0), min(stop + 1, depth)  # a slice more each side moves the surface
        tissue = source.slices(low, high) != Label.BACKGROUND
        tissue |= filled.dense(None, low, high)
        here = mended.dense(None, low, high)
        if is_closing:
            here |= _closed(mended, low, high) & tissue
        own = slice(start - low, stop - low)
        lcn.add(here[own])
        inner.add(eroded(here)[own])
        outer.add((dilated(here) & tissue)[own])
        tissue_voxels += int(np.count_nonzero(tissue[own]))
        configurations += configuration_histogram(
            here[: stop - low], opens=start == 0, closes=stop == depth
        )  # shares its first slice with the slab before
    closed, less, more = (builder.network(source.shape) for builder in (lcn, inner, outer))
    return _Closed(closed, less, more, tissue_voxels, configurations)


def _closed(network: Network, low: int, high: int) -> _Mask:
    """Return slices of the closing by the 6-neighbour cross; nothing lies beyond the faces of the volume."""
    mask = network.dense(None, low - 2, high + 2)  # empty beyond the volume
    out: _Mask = eroded(dilated(np.pad(mask, ((0, 0), (1, 1), (1, 1)))))[2:-2, 1:-1, 1:-1]
    return out


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
