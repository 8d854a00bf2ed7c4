"""The beamline as its camera sees it: angle, shutter and number of the exposure give a frame of counts."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from simulators.camera import Detector, Illumination
from simulators.instruments import Instrument
from simulators.microscope import MARGIN_PX, Microscope
from simulators.phantom import Phantom
from simulators.shade_off import ShadeOffRule, label_shade_off
from simulators.sizes import Size, size_named

_REFERENCES = 60
"""Darks and flats of a usual scan: with the projections, the time over which beam and sample drift."""


class Imager:
    """One bone in one microscope with its beam and camera.

    Frames are deterministic: the same seed, angle and exposure number give the same counts. What is slow, the
    noise-free image of each angle, is computed once and kept on disk (see `simulators.cache`).

    Parameters
    ----------
    instrument
        From `load_instrument`, `randomised` or `dataclasses.replace`.
    size
        "tiny", "small", "medium", "paper", or a `Size`.
    seed
        Chooses bone, flaws of beam and camera, motion and noise.
    device
        Where torch computes: "cpu", "cuda", ...
    """

    def __init__(
        self, instrument: Instrument, size: str | Size = "small", seed: int = 0, *, device: str = "cpu"
    ) -> None:
        self.instrument = instrument
        self.size = size_named(size)
        self.seed = seed
        self.microscope = Microscope(instrument, self.size, seed, device=device)
        self.shape = (self.size.rows, self.size.columns)
        self.pixel_um = self.microscope.pixel_um
        self.energy_kev = instrument.energy_kev
        self.phase_shift_rad = instrument.phase_shift_rad
        self.exposure_s = instrument.exposure_s
        self.projection_count = self.size.projection_count
        self.rotation_axis_px = self.microscope.rotation_axis_px
        self._illumination = Illumination(instrument.beam, self.shape, self.pixel_um, seed)
        self._detector = Detector(instrument.camera, self.shape, self.size.binning, seed)

    @property
    def nominal_angles_rad(self) -> npt.NDArray[np.float64]:
        """The size's projections spread evenly over half a turn, its end left out; float64."""
        return np.arange(self.projection_count) * np.pi / self.projection_count

    @property
    def phantom(self) -> Phantom:
        """The bone, on the grid of a reconstruction."""
        return self.microscope.phantom

    @cached_property
    def _truth(self) -> tuple[npt.NDArray[np.uint8], ShadeOffRule]:
        return label_shade_off(self.microscope, self.nominal_angles_rad)

    @property
    def labels(self) -> npt.NDArray[np.uint8]:
        """Truth (z, y, x), uint8: 0 background, 1 bone, 2 LCN, 3 shade-off; needs the nominal projections."""
        return self._truth[0]

    @property
    def shade_off_rule(self) -> ShadeOffRule:
        """How the shade-off of `labels` was defined."""
        return self._truth[1]

    def prepare(self, angles_rad: npt.ArrayLike) -> None:
        """Compute the noise-free images of all angles at once, or map them from the cache."""
        self.microscope.prepare(np.asarray(angles_rad, dtype=np.float64).ravel())

    def clean(self, angle_rad: float) -> npt.NDArray[np.float32]:
        """Noise-free, motion-free intensity at one angle over the empty beam's; float32 (row, column)."""
        return self.microscope.clean(angle_rad)

    def expose(
        self, *, angle_rad: float, sample_in: bool = True, shutter_open: bool = True, exposure: int
    ) -> npt.NDArray[np.uint16]:
        """Take one frame.

        Parameters
        ----------
        exposure
            Number of the exposure since the scan began, from 0: the clock of noise, drift and decay.

        Returns
        -------
        numpy.ndarray
            uint16 (row, column).

        Raises
        ------
        ValueError
            The exposure number is negative.
        """
        if exposure < 0:
            raise ValueError(
                f"exposure {exposure} is negative: number exposures from 0 at the start of a scan"
            )
        rng = np.random.default_rng([self.seed, 0xF7A, exposure])
        if not shutter_open:
            return self._detector.expose(None, rng)
        relative = self._illumination.at(self._progress(exposure), rng)
        if sample_in:
            relative = relative * _moved(self.microscope.image(angle_rad), self.motion_px(exposure))
        return self._detector.expose(relative, rng)

    def motion_px(self, exposure: int) -> tuple[float, float]:
        """Where drift and vibration have the sample during one exposure, (row, column) in pixels.

        With t the progress of the scan, x follows a (1 - exp(-2 t) + 0.4 sin 2.2 t) and z follows
        b (t + 0.3 sin 4 t), either way and about their mean; vibration is independent from frame to frame.
        """
        motion, time = self.instrument.motion, min(self._progress(exposure), 2.0)
        way = np.random.default_rng([self.seed, 0xD1F]).choice([-1, 1], 2)
        shake = np.random.default_rng([self.seed, 0x5AE, exposure]).standard_normal(2)
        whole = np.linspace(0, 1, 101)
        x = _drift_x(time) - _drift_x(whole).mean()
        z = _drift_z(time) - _drift_z(whole).mean()
        x_um = way[0] * motion.drift_x_um * x + motion.vibration_x_um * shake[0]
        z_um = way[1] * motion.drift_z_um * z + motion.vibration_z_um * shake[1]
        return float(z_um / self.pixel_um), float(x_um / self.pixel_um)

    def is_dropped(self, exposure: int) -> bool:
        """Tell whether the camera loses this exposure; the share is the camera's `dropped_share`."""
        share = self.instrument.camera.dropped_share
        return bool(np.random.default_rng([self.seed, 0xD06, exposure]).random() < share)

    def _progress(self, exposure: int) -> float:
        return exposure / (self.projection_count + _REFERENCES)


def _drift_x(time: Any) -> Any:
    return 1 - np.exp(-2 * time) + 0.4 * np.sin(2.2 * time)


def _drift_z(time: Any) -> Any:
    return time + 0.3 * np.sin(4 * time)


def _moved(image: npt.NDArray[np.float16], shift_px: tuple[float, float]) -> npt.NDArray[np.float32]:
    """Shift by a fraction of a pixel by cubic convolution, and cut the margin off."""
    moved = image.astype(np.float32)
    for axis, distance in enumerate(shift_px):
        back = -float(np.clip(distance, 2 - MARGIN_PX, MARGIN_PX - 2))
        whole = int(np.floor(back))
        first, length = MARGIN_PX + whole - 1, image.shape[axis] - 2 * MARGIN_PX
        taps = [np.take(moved, range(first + tap, first + tap + length), axis) for tap in range(4)]
        moved = np.einsum("t,tij->ij", _cubic(back - whole), np.stack(taps))
    return np.maximum(moved, 0)


def _cubic(share: float) -> npt.NDArray[np.float32]:
    """Catmull-Rom weights of the four samples around a place `share` past the second."""
    t = share
    weights = (-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, -(t**2) + t**3)
    return np.array(weights, dtype=np.float32) / np.float32(2)
