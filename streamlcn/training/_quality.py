"""How well a network of thin pores was found, beyond overlap. Masks are boolean (z, y, x).

Overlap is ruled by the large lacunae; a canaliculus that is torn apart hardly changes it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from streamlcn.training._report import LcnQuality

__all__ = ["lcn_quality", "surface_dice"]

_Mask = npt.NDArray[np.bool_]
_SMALLEST_VOXELS = 27
_TOLERANCE_VOXELS = 1.0
_ALL_NEIGHBOURS = np.ones((3, 3, 3), np.bool_)


def lcn_quality(truth: _Mask, found: _Mask) -> LcnQuality | None:
    """Compare the found LCN with the true one; None where either is empty or there are too few slices.

    clDice: harmonic mean of the share of the found centre lines inside the true LCN (precision) and of the
    true ones inside the found LCN (recall), Shit et al. 2021; centre lines by thinning, Lee et al. 1994.
    Component recall: share of the true 26-connected components of at least 27 voxels that are found by at
    least half of their voxels.
    """
    if len(truth) < 3 or not truth.any() or not found.any():
        return None
    true_lines, found_lines = _centre_lines(truth), _centre_lines(found)
    recall = float(found[true_lines].mean()) if true_lines.any() else 0.0
    precision = float(truth[found_lines].mean()) if found_lines.any() else 0.0
    numbered, count = ndimage.label(truth, _ALL_NEIGHBOURS)
    sizes = np.bincount(numbered.ravel(), minlength=count + 1)[1:]
    hits = np.bincount(numbered[found], minlength=count + 1)[1:]
    large = sizes >= _SMALLEST_VOXELS
    found_sizes = np.bincount(ndimage.label(found, _ALL_NEIGHBOURS)[0].ravel())[1:]
    return LcnQuality(
        cl_dice=2 * precision * recall / (precision + recall) if precision + recall else 0.0,
        skeleton_precision=precision,
        skeleton_recall=recall,
        surface_dice=surface_dice(truth, found, _TOLERANCE_VOXELS),
        component_recall=float((2 * hits >= sizes)[large].mean()) if large.any() else None,
        components=int((found_sizes >= _SMALLEST_VOXELS).sum()),
        components_true=int(large.sum()),
    )


def surface_dice(truth: _Mask, found: _Mask, tolerance_voxels: float) -> float:
    """Return the share of both surfaces that lies within the tolerance of the other (Nikolov et al. 2018).

    A surface is the voxels of a mask with a face towards voxels outside it; the faces of the volume are no
    surface. 1 where both are empty.
    """
    one, other = _surface(truth), _surface(found)
    total = int(one.sum() + other.sum())
    if not total:
        return 1.0
    ball = _ball(tolerance_voxels)
    near_one, near_other = (ndimage.binary_dilation(each, ball) for each in (one, other))
    return float(((one & near_other).sum() + (other & near_one).sum()) / total)


def _surface(mask: _Mask) -> _Mask:
    return mask & ~ndimage.binary_erosion(mask, border_value=1)


def _ball(radius: float) -> _Mask:
    reach = int(radius)
    z, y, x = np.ogrid[-reach : reach + 1, -reach : reach + 1, -reach : reach + 1]
    return np.asarray(z * z + y * y + x * x <= radius * radius, np.bool_)


def _centre_lines(mask: _Mask) -> _Mask:
    from skimage.morphology import skeletonize

    thinned: Any = skeletonize
    return np.asarray(thinned(mask, method="lee") > 0, np.bool_)
