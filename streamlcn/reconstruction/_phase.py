"""Phase retrieval for a single material in propagation contrast.

Source: Paganin et al., J. Microscopy 206 (2002) 33, equation 12: the transmission is filtered with
1 / (1 + wavelength * distance * delta / (4 pi beta) * |k|²), k in radians per length.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import fft

from streamlcn.errors import BadInput
from streamlcn.reconstruction.settings import PaganinSettings

__all__ = ["WAVELENGTH_UM_KEV", "PaganinFilter", "paganin_length_px2"]

WAVELENGTH_UM_KEV = 1.239841984e-3
"""Planck's constant times the speed of light: wavelength in um = this / energy in keV."""


def paganin_length_px2(settings: PaganinSettings, energy_kev: float | None, pixel_um: float) -> float:
    """Return wavelength * distance * delta / (4 pi beta) in pixels²; raises `BadInput` without an energy."""
    if energy_kev is None or not energy_kev > 0:
        raise BadInput(
            "phase retrieval needs the photon energy, but the scan does not say it: "
            "name its path or a fallback in the profile, or set paganin to null"
        )
    wavelength_um = WAVELENGTH_UM_KEV / energy_kev
    distance_um = 1000 * settings.distance_mm
    return wavelength_um * distance_um * settings.delta_over_beta / (4 * math.pi * pixel_um**2)


class PaganinFilter:
    """Filters transmissions (row, column) of one shape; edges are repeated, so that nothing wraps around."""

    def __init__(self, shape: tuple[int, int], length_px2: float) -> None:
        reach = math.ceil(4 * math.sqrt(length_px2)) + 1  # the kernel falls with exp(-r / sqrt(length))
        self._padded = tuple(int(fft.next_fast_len(n + 2 * min(reach, n), real=True)) for n in shape)
        self._before = tuple((p - n) // 2 for p, n in zip(self._padded, shape, strict=True))
        self._shape = shape
        k_row = 2 * np.pi * np.fft.fftfreq(self._padded[0])[:, None]
        k_column = 2 * np.pi * np.fft.rfftfreq(self._padded[1])[None, :]
        self._response = (1 / (1 + length_px2 * (k_row**2 + k_column**2))).astype(np.float32)

    def __call__(self, transmission: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        """Return the filtered transmission."""
        around = [
            (before, padded - size - before)
            for before, padded, size in zip(self._before, self._padded, self._shape, strict=True)
        ]
        spectrum = fft.rfft2(np.pad(transmission, around, mode="edge"))
        spectrum *= self._response
        filtered: npt.NDArray[np.float32] = fft.irfft2(spectrum, s=self._padded, overwrite_x=True)
        (top, left), (rows, columns) = self._before, self._shape
        return filtered[top : top + rows, left : left + columns]
