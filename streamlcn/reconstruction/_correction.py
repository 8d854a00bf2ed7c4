"""Counts become line integrals."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from streamlcn.errors import BadInput, ReconstructionFailed
from streamlcn.model import Reference
from streamlcn.reconstruction._gain import FlatField
from streamlcn.reconstruction._region import Region, binned
from streamlcn.reconstruction.settings import CorrectionSettings

__all__ = ["Correction", "contrast_sign", "transmission"]

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
    """Turns the frames of one scan into line integrals, float32 (row, column) of the kept, binned region.

    Steps, each a switch: crop, dark and flat, decay of the beam, outliers, median, binning, phase retrieval,
    logarithm. ``reference`` None says that frames are line integrals already: nothing is divided and no
    logarithm is taken again. Holds nothing but constants, so frames may come in any order, in any thread.

    Parameters
    ----------
    projection_count
        Needed to interpolate between flats before and after the scan.
    detector_shape
        (row, column) of the frames; by default the reference's.
    energy_kev, pixel_um
        Needed for phase retrieval.
    """

    def __init__(
        self,
        settings: CorrectionSettings,
        reference: Reference | None,
        phase_shift_rad: float | None = None,
        *,
        projection_count: int | None = None,
        detector_shape: tuple[int, int] | None = None,
        energy_kev: float | None = None,
        pixel_um: float | None = None,
    ) -> None:
        self._settings = settings
        self._sign = np.float32(contrast_sign(phase_shift_rad))
        floor = PHASE_FLOOR if phase_shift_rad is not None else ABSORPTION_FLOOR
        self._floor = np.float32(settings.transmission_floor or floor)
        self._flat_field: FlatField | None = None
        self._paganin: Any = None
        shape = detector_shape if reference is None else (reference.flat.shape[0], reference.flat.shape[1])
        self._region = None if shape is None else Region.of(settings, shape)
        if reference is None:
            return
        assert self._region is not None
        self._flat_field = FlatField(self._region.cut_reference(reference), settings.flats, projection_count)
        if settings.paganin is not None:
            from streamlcn.reconstruction._phase import PaganinFilter, paganin_length_px2

            pixel = (pixel_um or 1.0) * settings.binning
            length = paganin_length_px2(settings.paganin, energy_kev, pixel)
            self._paganin = PaganinFilter(self._region.shape, length)

    def region(self, shape: tuple[int, int]) -> Region:
        """Return what is kept of frames of this shape (row, column); raises `BadInput`."""
        if self._region is None:
            self._region = Region.of(self._settings, shape)
        return self._region

    def line_integrals(self, pixels: npt.NDArray[Any], index: int | None = None) -> npt.NDArray[np.float32]:
        """Return the line integrals of one frame (row, column) of counts, projection ``index``."""
        kept = self.region((pixels.shape[0], pixels.shape[1])).cut(pixels)
        if self._flat_field is None:
            return binned(self._smoothed(kept.astype(np.float32)), self._settings.binning)
        values = self._flat_field.transmission(kept, index)
        air = self._settings.air_columns_px
        if air:
            beam = np.concatenate([values[:, :air], values[:, -air:]], axis=1).mean(dtype=np.float64)
            if not beam > 0:
                raise ReconstructionFailed(
                    f"projection {index}: no light in the {air} columns of air at the borders: was the beam "
                    "lost, or does the sample reach there? Mend air_columns_px, or leave the frame out"
                )
            values /= np.float32(beam)
        values = binned(self._smoothed(values), self._settings.binning)
        if self._paganin is not None:
            values = self._paganin(values)
        if self._settings.contrast == "linear":
            return (values - np.float32(1)) * self._sign
        values = np.maximum(values, self._floor)
        np.log(values, out=values)
        values *= self._sign
        return values

    def _smoothed(self, values: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        from streamlcn.reconstruction._median import median_filter

        threshold = self._settings.outlier_threshold
        if threshold is not None:
            calm = median_filter(values, 1)
            values = np.where(np.abs(values - calm) > threshold, calm, values)
        return median_filter(values, self._settings.median_radius_px)
