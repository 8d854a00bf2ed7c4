"""Counts become line integrals."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from streamlcn.errors import BadInput
from streamlcn.model import Reference
from streamlcn.reconstruction._reference import dead_pixels
from streamlcn.reconstruction.settings import CorrectionSettings

__all__ = ["Correction", "contrast_sign", "transmission"]

Places: TypeAlias = tuple[npt.NDArray[np.intp], ...]

ABSORPTION_FLOOR = 1e-6
PHASE_FLOOR = 0.02
"""A Zernike image has fringes near zero; below this the logarithm would make spikes of them."""


def contrast_sign(phase_shift_rad: float | None) -> float:
    """Return the factor of ln(transmission) that makes dense matter bright.

    Absorption (None): -1. Behind a Zernike plate that shifts the direct beam by ``phase_shift_rad`` the
    first-order contrast goes with sin: -sgn(sin), so +1 for -pi/2 and -1 for +pi/2.
    Raises `BadInput` for a plate without first-order contrast.
    """
    if phase_shift_rad is None:
        return -1.0
    sine = math.sin(phase_shift_rad)
    if not math.isfinite(phase_shift_rad) or abs(sine) < 1e-3:
        raise BadInput(
            f"a phase shift of {phase_shift_rad} rad gives no phase contrast of first order: "
            "give the plate's shift (-pi/2 for a negative Zernike plate), or none for absorption contrast"
        )
    return -math.copysign(1.0, sine)


def transmission(pixels: npt.NDArray[Any], reference: Reference) -> npt.NDArray[np.float32]:
    """Return (pixels - dark) / (flat - dark), (row, column) float32; NaN in dead pixels."""
    span = reference.flat - reference.dark
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.where(span > 0, 1 / span, np.nan).astype(np.float32)
    return (pixels.astype(np.float32) - reference.dark) * gain


class Correction:
    """Turns the frames of one scan into line integrals, (row, column) float32.

    ``reference`` None says that frames are line integrals already: they are passed through the median
    and no logarithm is taken again. Holds nothing but constants, so frames may come in any order.
    """

    def __init__(
        self, settings: CorrectionSettings, reference: Reference | None, phase_shift_rad: float | None = None
    ) -> None:
        self._settings = settings
        self._reference = reference
        self._sign = np.float32(contrast_sign(phase_shift_rad))
        floor = PHASE_FLOOR if phase_shift_rad is not None else ABSORPTION_FLOOR
        self._floor = np.float32(settings.transmission_floor or floor)
        self._dead: tuple[Places, Places] | None = None
        if reference is not None:
            span = reference.flat - reference.dark
            dead = dead_pixels(reference)
            self._gain = (1 / np.where(dead, np.float32(1), span)).astype(np.float32)
            if dead.any():
                self._dead = dead.nonzero(), _nearest_alive(dead)

    def line_integrals(self, pixels: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return the line integrals of one frame (row, column) of counts."""
        from streamlcn.reconstruction._median import median_filter

        values = pixels.astype(np.float32)
        if self._reference is not None:
            values -= self._reference.dark
            values *= self._gain
            if self._dead is not None:
                values[self._dead[0]] = values[self._dead[1]]
        threshold = self._settings.outlier_threshold
        if threshold is not None:
            calm = median_filter(values, 1)
            values = np.where(np.abs(values - calm) > threshold, calm, values)
        values = median_filter(values, self._settings.median_radius_px)
        if self._reference is not None:
            np.maximum(values, self._floor, out=values)
            np.log(values, out=values)
            values *= self._sign
        return values


def _nearest_alive(dead: npt.NDArray[np.bool_]) -> Places:
    """Return rows and columns of the living pixel that stands in for each dead one."""
    from scipy import ndimage

    nearest = ndimage.distance_transform_edt(dead, return_distances=False, return_indices=True)
    return tuple(axis[dead] for axis in nearest)
