"""The microscope as a camera sees it: given an angle, a shutter and an exposure's number, one frame of counts."""

from __future__ import annotations

from collections import OrderedDict
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.fft import next_fast_len

from simulators.cache import cached, content_hash
from simulators.camera import Detector, Illumination
from simulators.instruments import Instrument
from simulators.phantom import Phantom, make_phantom
from simulators.shade_off import ShadeOffRule, label_shade_off
from simulators.sizes import Size, size_named

if TYPE_CHECKING:
    import torch

    from simulators.projector import Projector

Floats = npt.NDArray[np.float64]
_ROW_PAD_UM = 4.5
_COLUMN_PAD_UM = 1.5
_MARGIN = 6
_CHUNK = 4
_KEPT_FRAMES = 16
_REFERENCES = 60


class Imager:
    """One sample in one microscope.

    Frames are deterministic: the same seed, angle and exposure number give the same counts. What is slow, the
    noise-free image of each angle, is computed once and kept on disk.

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
        self, instrument: Instrument, size: str | Size, seed: int = 0, *, device: str = "cpu"
    ) -> None:
        self.instrument = instrument
        self.size = size_named(size)
        self.seed = seed
        self._device = device
        self.shape = (self.size.rows, self.size.columns)
        self.pixel_um = self.size.pixel_um(instrument)
        self.energy_kev = instrument.energy_kev
        self.phase_shift_rad = instrument.phase_shift_rad
        self.exposure_s = instrument.exposure_s
        self.projection_count = self.size.projection_count
        self.rotation_axis_px = (self.size.columns - 1) / 2 + instrument.axis_offset_um / self.pixel_um
        self._illumination = Illumination(instrument.beam, self.shape, self.pixel_um, seed)
        self._detector = Detector(instrument.camera, self.shape, self.size.binning, seed)
        self._prepared: dict[int, npt.NDArray[np.float16]] = {}
        self._recent: OrderedDict[int, npt.NDArray[np.float16]] = OrderedDict()

    @property
    def nominal_angles_rad(self) -> Floats:
        """The size's projections spread evenly over half a turn, its end left out; float64."""
        return np.arange(self.projection_count) * np.pi / self.projection_count

    @cached_property
    def phantom(self) -> Phantom:
        """The bone, on the grid of a reconstruction."""
        return make_phantom(
            self.instrument.sample,
            rows=self.size.rows,
            columns=self.size.columns,
            voxel_um=self.pixel_um,
            seed=self.seed,
            pore_scale=self.size.pore_scale,
        )

    @cached_property
    def _truth(self) -> tuple[npt.NDArray[np.uint8], ShadeOffRule]:
        return label_shade_off(self.phantom.labels, self.clean_reconstruction(), self.pixel_um)

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
        angles = np.asarray(angles_rad, dtype=np.float64).ravel()
        missing = np.array([angle for angle in angles if _angle_key(angle) not in self._prepared])
        if len(missing):
            images = self._images(missing)
            self._prepared.update(
                (_angle_key(angle), image) for angle, image in zip(missing, images, strict=True)
            )

    def clean(self, angle_rad: float) -> npt.NDArray[np.float32]:
        """Noise-free, motion-free intensity of one angle over the empty beam's; float32 (row, column)."""
        image = self._image(angle_rad)
        return image[_MARGIN:-_MARGIN, _MARGIN:-_MARGIN].astype(np.float32)

    def expose(
        self, *, angle_rad: float, sample_in: bool = True, shutter_open: bool = True, exposure: int
    ) -> npt.NDArray[np.uint16]:
        """Take one frame.

        Parameters
        ----------
        exposure
            Number of the exposure since the scan began; it is the clock of noise, drift and the beam's decay.

        Returns
        -------
        numpy.ndarray
            uint16 (row, column).
        """
        rng = np.random.default_rng([self.seed, 0xF7A, exposure])
        if not shutter_open:
            return self._detector.expose(None, rng)
        progress = exposure / (self.projection_count + _REFERENCES)
        relative = self._illumination.at(progress, rng)
        if sample_in:
            relative = relative * self._moved(self._image(angle_rad), self.motion_px(exposure))
        return self._detector.expose(relative, rng)

    def motion_px(self, exposure: int) -> tuple[float, float]:
        """Where drift and vibration have the sample at one exposure, (row, column) in pixels."""
        motion, time = self.instrument.motion, exposure / (self.projection_count + _REFERENCES)
        rng = np.random.default_rng([self.seed, 0xD1F, exposure])
        phase = np.random.default_rng([self.seed, 0xD1F]).uniform(0, 2 * np.pi, 2)
        drift_x = 1 - np.exp(-2 * time) - 0.57 + 0.4 * np.sin(2.2 * time + phase[0])
        drift_z = min(time, 2.0) - 0.5 + 0.3 * np.sin(4 * time + phase[1])
        x_um = motion.drift_x_um * drift_x + motion.vibration_x_um * rng.standard_normal()
        z_um = motion.drift_z_um * drift_z + motion.vibration_z_um * rng.standard_normal()
        return z_um / self.pixel_um, x_um / self.pixel_um

    def is_dropped(self, exposure: int) -> bool:
        """Tell whether the camera loses this exposure; the share is the camera's `dropped_share`."""
        share = self.instrument.camera.dropped_share
        return bool(np.random.default_rng([self.seed, 0xD06, exposure]).random() < share)

    def clean_reconstruction(self) -> npt.NDArray[np.float32]:
        """Filtered back-projection of the nominal, noise-free, aligned projections where the sample is.

        Line integrals are -sgn(sin theta) ... ln I for a plate of phase shift theta, so bone is bright.

        Returns
        -------
        numpy.ndarray
            Float32 (z, y, x), per pixel; zero outside bone and pores.
        """
        import torch

        from simulators.projector import ramp_filter

        angles = self.nominal_angles_rad
        self.prepare(angles)
        support = (self.phantom.labels > 0).any(axis=0)
        projector = self._projector(support, padding=0)
        total = torch.zeros((int(support.sum()), self.size.rows), device=self._device)
        sign = -1.0 if np.sin(self.phase_shift_rad) > 0 else 1.0
        for start in range(0, len(angles), 4 * _CHUNK):
            part = angles[start : start + 4 * _CHUNK]
            images = torch.as_tensor(np.stack([self.clean(angle) for angle in part]), device=self._device)
            filtered = ramp_filter(sign * torch.log(images.clamp_min(0.02)))
            total += projector.back_project(part, filtered) * (np.pi / len(angles))
        volume = np.zeros((self.size.rows, *support.shape), np.float32)
        volume[:, support] = total.T.cpu().numpy()
        return volume

    def _image(self, angle_rad: float) -> npt.NDArray[np.float16]:
        key = _angle_key(angle_rad)
        if key in self._prepared:
            return self._prepared[key]
        if key not in self._recent:
            self._recent[key] = self._compute(np.array([angle_rad]))[0]
            if len(self._recent) > _KEPT_FRAMES:
                self._recent.popitem(last=False)
        return self._recent[key]

    def _images(self, angles: Floats) -> npt.NDArray[np.float16]:
        key = content_hash(self.instrument.name, self._physics, self.size, self.seed, angles)
        return cached("images", key, lambda: self._compute(angles))

    @property
    def _physics(self) -> tuple[object, ...]:
        """The parts of the instrument that a noise-free image depends on."""
        one = self.instrument
        return one.energy_kev, one.pixel_um, one.axis_offset_um, one.bone, one.polymer, one.optics, one.sample

    def _compute(self, angles: Floats) -> npt.NDArray[np.float16]:
        """Project, propagate and blur; float16 (angle, row, column) with a margin on every side for the motion."""
        import torch

        from simulators import optics

        rows, columns = self.size.rows + 2 * _MARGIN, self.size.columns + 2 * _MARGIN
        result = np.empty((len(angles), rows, columns), np.float16)
        top, left = (pad - _MARGIN for pad in self._padding)
        for start in range(0, len(angles), _CHUNK):
            part = angles[start : start + _CHUNK]
            paths = [self._path_um(part, *material) for material in self._materials]
            intensity = optics.image(optics.sample_wave(self.instrument, *paths), self._kernels)
            intensity = torch.fft.irfft2(torch.fft.rfft2(intensity) * self._blur, s=self._grid)
            result[start : start + _CHUNK] = (
                intensity[:, top : top + rows, left : left + columns].cpu().numpy()
            )
        return result

    @cached_property
    def _grid(self) -> tuple[int, int]:
        """Padded (row, column) of the waves: sizes that an FFT likes."""
        rows = next_fast_len(self.size.rows + 2 * max(int(_ROW_PAD_UM / self.pixel_um), _MARGIN + 2))
        columns = next_fast_len(self.size.columns + 2 * max(int(_COLUMN_PAD_UM / self.pixel_um), _MARGIN + 2))
        return rows, columns

    @property
    def _padding(self) -> tuple[int, int]:
        return (self._grid[0] - self.size.rows) // 2, (self._grid[1] - self.size.columns) // 2

    @cached_property
    def _kernels(self) -> torch.Tensor:
        import torch

        from simulators.optics import imaging_kernels

        one = self.instrument
        key = content_hash(one.optics, one.wavelength_um, self._grid, self.pixel_um)
        kernels = cached(
            "kernels",
            key,
            lambda: imaging_kernels(one, self._grid, self.pixel_um, device=self._device).cpu().numpy(),
        )
        return torch.from_numpy(np.array(kernels)).to(self._device)

    @cached_property
    def _blur(self) -> torch.Tensor:
        from simulators.optics import blur_transfer

        fwhm = self.instrument.optics.psf_fwhm_um
        return blur_transfer(self._grid, self.pixel_um, fwhm, binning=self.size.binning, device=self._device)

    @cached_property
    def _materials(self) -> list[tuple[Projector, torch.Tensor]]:
        """Bone, weighted by its density, and polymer: a projector of the material's support and values (pixel, z)."""
        import torch

        found = []
        for fraction, is_bone in ((self.phantom.bone, True), (self.phantom.polymer, False)):
            support = (fraction > 0).any(axis=0)
            values = np.empty((int(support.sum()), self.size.rows), np.float32)
            for row in range(self.size.rows):
                plane = fraction[row][support].astype(np.float32) / 255
                values[:, row] = plane * self.phantom.density_at(row)[support] if is_bone else plane
            found.append(
                (self._projector(support, self._padding[1]), torch.as_tensor(values, device=self._device))
            )
        return found

    def _projector(self, support: npt.NDArray[np.bool_], padding: int) -> Projector:
        from simulators.projector import Projector

        columns = self._grid[1] if padding else self.size.columns
        return Projector(
            support, columns=columns, centre_px=self.rotation_axis_px + padding, device=self._device
        )

    def _path_um(self, angles: Floats, projector: Projector, values: torch.Tensor) -> torch.Tensor:
        """Path length (angle, row, column) in um on the padded grid; rows beyond the sample mirror it."""
        import torch

        path = projector.project(angles, values) * self.pixel_um
        top = self._padding[0]
        place = np.pad(
            np.arange(self.size.rows), (top, self._grid[0] - self.size.rows - top), mode="symmetric"
        )
        return path[:, torch.as_tensor(place, device=self._device)]

    def _moved(self, image: npt.NDArray[np.float16], shift: tuple[float, float]) -> npt.NDArray[np.float32]:
        """Shift by a fraction of a pixel by cubic convolution, and cut the margin off."""
        moved = image.astype(np.float32)
        for axis, distance in enumerate(shift):
            distance = float(np.clip(distance, -_MARGIN + 2, _MARGIN - 2))
            whole = int(np.floor(-distance))
            weights = _cubic(-distance - whole)
            length = self.shape[axis]
            taps = [
                np.take(moved, range(_MARGIN + whole + k, _MARGIN + whole + k + length), axis)
                for k in (-1, 0, 1, 2)
            ]
            moved = sum(w * tap for w, tap in zip(weights, taps, strict=True))
        return np.maximum(moved, 0)


def _cubic(share: float) -> npt.NDArray[np.float32]:
    """Catmull-Rom weights of the four samples around a place `share` past the second."""
    t = share
    weights = [-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, -(t**2) + t**3]
    return np.array(weights, dtype=np.float32) / 2


def _angle_key(angle_rad: float) -> int:
    """Angles that agree within a nanoradian share their image."""
    return round(float(angle_rad) * 1e9)
