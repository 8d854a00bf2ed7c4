"""Where the shade-off is, by a rule: dark bone near the surface in a noise-free image by the same optics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

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

from simulators.microscope import Microscope, block_mean
from simulators.phantom import BONE, LCN, SHADE_OFF

THRESHOLD = 0.12
_BAND_UM = 5.0
_SMOOTH_UM = 0.28
_CLEAR_OF_VOID_UM = 0.35
_CLEAR_OF_WALL_UM = 0.25
_SMALLEST_UM3 = 1.0
_GRID_UM = 0.13

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True, slots=True)
class ShadeOffRule:
    """Everything needed to repeat the labelling."""

    threshold: float
    band_um: float
    grid_um: float
    bone_grey: float
    lcn_grey: float
    fraction_of_bone: float


def label_shade_off(
    microscope: Microscope, angles_rad: npt.NDArray[np.float64], *, threshold: float = THRESHOLD
) -> tuple[npt.NDArray[np.uint8], ShadeOffRule]:
    """Relabel as shade-off the bone within 5 um of the outside that is darker than 1 - `threshold`.

    Grey values come from the noise-free, aligned reconstruction, on a grid binned by 2 where voxels are below
    0.13 um. They are smoothed by 0.28 um among bone clear of voids, and scaled so that LCN is 0 and deep bone
    is 1. The dark zone is opened once, closed twice, kept to dark bone, and rid of pieces below 1 um^3.

    Returns
    -------
    labels, rule
        uint8 (z, y, x) with classes 0 to 3, and what the rule measured.
    """
    phantom = microscope.phantom
    binning = 2 if phantom.voxel_um < _GRID_UM else 1
    voxel_um = phantom.voxel_um * binning
    grey = microscope.reconstruction(angles_rad, binning=binning)
    solid, lcn = (
        block_mean(_float(mask), (binning, binning, binning))
        for mask in (phantom.envelope, phantom.labels == LCN)
    )
    box = _box_around(solid > 0)
    dark = np.zeros(solid.shape, bool)
    dark[box], bone_grey, lcn_grey = _dark_rim(solid[box], lcn[box], grey[box], voxel_um, threshold)
    shade = _spread(_tidy(dark, voxel_um), binning, phantom.labels.shape) & (phantom.labels == BONE)
    labels = phantom.labels.copy()
    labels[shade] = SHADE_OFF
    rule = ShadeOffRule(
        threshold=threshold,
        band_um=_BAND_UM,
        grid_um=voxel_um,
        bone_grey=bone_grey,
        lcn_grey=lcn_grey,
        fraction_of_bone=float(shade.sum() / max(int((phantom.labels == BONE).sum()), 1)),
    )
    return labels, rule


def _dark_rim(
    solid: Floats, lcn: Floats, grey: Floats, voxel_um: float, threshold: float
) -> tuple[Bools, float, float]:
    """The dark voxels of the rim, and the grey values of deep bone and of LCN that scale them."""
    bone = (solid >= 0.5) & (lcn < 0.5)
    depth_um = distance_transform_edt(solid >= 0.5, sampling=voxel_um)
    clear = bone & (distance_transform_edt(lcn == 0, sampling=voxel_um) > _CLEAR_OF_VOID_UM)
    weight = gaussian_filter(_float(clear), _SMOOTH_UM / voxel_um)
    smooth = gaussian_filter(np.where(clear, grey, 0), _SMOOTH_UM / voxel_um) / np.maximum(weight, 1e-3)
    deep = bone & (depth_um > min(_BAND_UM, 0.6 * depth_um.max()))
    hollow = distance_transform_edt(lcn >= 0.5, sampling=voxel_um) > _CLEAR_OF_WALL_UM
    bone_grey = float(np.median(smooth[deep]))
    lcn_grey = float(np.median(grey[hollow if hollow.any() else lcn >= 0.5]))
    contrast = (smooth - lcn_grey) / (bone_grey - lcn_grey)
    return bone & (depth_um <= _BAND_UM) & (weight > 0.05) & (contrast < 1 - threshold), bone_grey, lcn_grey


def _box_around(mask: Bools) -> tuple[slice, ...]:
    """The part of the slices that holds the mask, and one voxel more on each side."""
    box = [slice(None)]
    for axis in (1, 2):
        used = np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis})))
        box.append(slice(max(used[0] - 1, 0), used[-1] + 2))
    return tuple(box)


def _tidy(dark: Bools, voxel_um: float) -> Bools:
    cross = generate_binary_structure(3, 1)
    shade = binary_closing(binary_opening(dark, cross), cross, iterations=2) & dark
    pieces, _ = label(shade)
    keep = np.bincount(pieces.ravel()) * voxel_um**3 >= _SMALLEST_UM3
    keep[0] = False
    return np.asarray(keep[pieces])


def _spread(mask: Bools, binning: int, shape: tuple[int, ...]) -> Bools:
    """Repeat voxels of a binned mask, and its last ones where the binned grid stops short."""
    for axis, length in enumerate(shape):
        mask = np.take(mask, np.minimum(np.arange(length) // binning, mask.shape[axis] - 1), axis)
    return mask


def _float(mask: npt.NDArray[Any]) -> Floats:
    return mask.astype(np.float32)
