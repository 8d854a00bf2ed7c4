"""Where the shade-off is, by a rule: dark bone near the surface in a noise-free reconstruction by the same optics."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import (
    binary_closing,
    binary_opening,
    distance_transform_edt,
    gaussian_filter,
    generate_binary_structure,
    label,
)

from simulators.phantom import BONE, LCN, SHADE_OFF

_BAND_UM = 5.0
_SMOOTH_UM = 0.28
_CLEAR_OF_VOID_UM = 0.35
_CLEAR_OF_WALL_UM = 0.25
_SMALLEST_UM3 = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class ShadeOffRule:
    """Everything needed to repeat the labelling."""

    threshold: float
    band_um: float
    bone_grey: float
    lcn_grey: float
    fraction_of_bone: float


def label_shade_off(
    labels: npt.NDArray[np.uint8], grey: npt.NDArray[np.float32], voxel_um: float, *, threshold: float = 0.12
) -> tuple[npt.NDArray[np.uint8], ShadeOffRule]:
    """Relabel as shade-off the bone within 5 um of the outside that is darker than 1 - `threshold`.

    Grey values are smoothed by 0.28 um among bone voxels clear of voids, and scaled so that LCN is 0 and deep bone
    is 1. The result is opened once, closed twice, kept to dark bone, and rid of pieces below 1 um^3.

    Parameters
    ----------
    labels
        uint8 (z, y, x): 0 background, 1 bone, 2 LCN; not changed.
    grey
        float32 (z, y, x): noise-free, aligned reconstruction; used where labels are not 0.
    """
    solid = labels > 0
    padded = np.pad(solid, ((1, 1), (0, 0), (0, 0)), mode="edge")
    depth = distance_transform_edt(padded, sampling=voxel_um)[1:-1].astype(np.float32)
    bone, lcn = labels == BONE, labels == LCN
    clear = bone & (distance_transform_edt(~lcn, sampling=voxel_um) > _CLEAR_OF_VOID_UM)
    sigma = _SMOOTH_UM / voxel_um
    weight = gaussian_filter(clear.astype(np.float32), sigma)
    smooth = gaussian_filter(np.where(clear, grey, 0).astype(np.float32), sigma) / np.maximum(weight, 1e-3)
    core = bone & (depth > min(_BAND_UM, 0.6 * float(depth.max())))
    hollow = distance_transform_edt(lcn, sampling=voxel_um) > _CLEAR_OF_WALL_UM
    bone_grey = float(np.median(smooth[core]))
    lcn_grey = float(np.median(grey[hollow if hollow.any() else lcn]))
    contrast = (smooth - lcn_grey) / (bone_grey - lcn_grey)
    dark = bone & (depth <= _BAND_UM) & (weight > 0.05) & (contrast < 1 - threshold)
    shade = _tidy(dark, voxel_um)
    result = labels.copy()
    result[shade] = SHADE_OFF
    rule = ShadeOffRule(
        threshold=threshold,
        band_um=_BAND_UM,
        bone_grey=bone_grey,
        lcn_grey=lcn_grey,
        fraction_of_bone=float(np.count_nonzero(shade) / max(np.count_nonzero(bone), 1)),
    )
    return result, rule


def _tidy(dark: npt.NDArray[np.bool_], voxel_um: float) -> npt.NDArray[np.bool_]:
    cross = generate_binary_structure(3, 1)
    shade = binary_closing(binary_opening(dark, cross), cross, iterations=2) & dark
    pieces, _ = label(shade)
    sizes = np.bincount(pieces.ravel())
    keep = sizes * voxel_um**3 >= _SMALLEST_UM3
    keep[0] = False
    return keep[pieces]
