"""What the microscope would see of one bone without noise, motion and beam: computed once, kept on disk."""

from __future__ import annotations

from collections import OrderedDict
from functools import cached_property
from threading import RLock
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy.fft import next_fast_len

from simulators.cache import cached, content_hash
from simulators.instruments import Instrument
from simulators.phantom import Phantom, make_phantom
from simulators.sizes import Size

if TYPE_CHECKING:
    import torch

    from simulators.projector import Projector

MARGIN_PX = 6
"""Rows and columns kept around the detector on every side, for the sample to move in."""

_ROW_PAD_UM = 4.5
_COLUMN_PAD_UM = 1.5
_ANGLES_AT_ONCE = 16
_KEPT_IMAGES = 16
_DARKEST = 0.02

Angles = npt.NDArray[np.float64]
Images = npt.NDArray[np.float16]


class Microscope:
    """The noise-free images of one bone, and the noise-free reconstruction that defines its shade-off.

    Parameters
    ----------
    device
        Where torch computes: "cpu", "cuda", ...
    """

    def __init__(self, instrument: Instrument, size: Size, seed: int, *, device: str = "cpu") -> None:
        self.instrument = instrument
        self.size = size
        self.seed = seed
        self.pixel_um = size.pixel_um(instrument)
        self.rotation_axis_px = (size.columns - 1) / 2 + instrument.axis_offset_um / self.pixel_um
        self._device = device
        # One by one on a CPU: no slower, and the same bits whichever angles are asked for together.
        self._chunk = 1 if device == "cpu" else _ANGLES_AT_ONCE
        self._prepared: dict[int, Images] = {}
        self._recent: OrderedDict[int, Images] = OrderedDict()
        self._lock = RLock()

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

    def prepare(self, angles_rad: Angles) -> None:
        """Compute the images of all angles, or map them from the cache, unless all are known already."""
        with self._lock:
            keys = [_angle_key(angle) for angle in angles_rad]
            if all(key in self._prepared for key in keys):
                return
            name = content_hash(self._physics, self.size, self.seed, angles_rad)
            images = cached("images", name, lambda: self._compute(angles_rad))
            self._prepared.update(zip(keys, images, strict=True))

    def image(self, angle_rad: float) -> Images:
        """Intensity over the empty beam's, float16 (row, column), with the margin; computed if unknown."""
        key = _angle_key(angle_rad)
        with self._lock:
            if key in self._prepared:
                return self._prepared[key]
            if key not in self._recent:
                self._recent[key] = self._compute(np.array([angle_rad]))[0]
                if len(self._recent) > _KEPT_IMAGES:
                    self._recent.popitem(last=False)
            return self._recent[key]

    def clean(self, angle_rad: float) -> npt.NDArray[np.float32]:
        """The image without its margin; float32 (row, column)."""
        return self.image(angle_rad)[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX].astype(np.float32)

    def reconstruction(self, angles_rad: Angles, *, binning: int = 1) -> npt.NDArray[np.float32]:
        """Filtered back-projection of the noise-free, motion-free images, within the bone's envelope.

        The line integral is -ln I for a plate that retards the light and +ln I for one that advances it, so
        that bone is bright; I is held above 0.02.

        Returns
        -------
        numpy.ndarray
            Float32 (z, y, x), per pixel of the (binned) grid; zero outside the envelope.
        """
        import torch

        from simulators.projector import Projector, ramp_filter

        self.prepare(angles_rad)
        columns, rows = self.size.columns // binning, self.size.rows // binning
        outline = self.phantom.envelope.max(axis=0, keepdims=True).astype(np.float32)
        support = np.asarray(block_mean(outline, (1, binning, binning))[0] > 0)
        centre = (self.rotation_axis_px + 0.5) / binning - 0.5
        projector = Projector(support, columns=columns, centre_px=centre, device=self._device)
        total = torch.zeros((int(support.sum()), rows), device=self._device)
        sign = -1.0 if np.sin(self.instrument.phase_shift_rad) > 0 else 1.0
        for start in range(0, len(angles_rad), _ANGLES_AT_ONCE):
            part = angles_rad[start : start + _ANGLES_AT_ONCE]
            images = np.stack([self.clean(angle) for angle in part])
            integrals = block_mean(
                np.float32(sign) * np.log(np.maximum(images, _DARKEST)), (1, binning, binning)
            )
            filtered = ramp_filter(torch.as_tensor(integrals, device=self._device))
            total += projector.back_project(part, filtered)
        volume = np.zeros((rows, *support.shape), np.float32)
        volume[:, support] = total.T.cpu().numpy() * (np.pi / len(angles_rad))
        return volume

    @property
    def _physics(self) -> tuple[object, ...]:
        """The parts of the instrument that a noise-free image depends on."""
        one = self.instrument
        return one.energy_kev, one.pixel_um, one.axis_offset_um, one.bone, one.polymer, one.optics, one.sample

    def _compute(self, angles: Angles) -> Images:
        """Project, propagate and blur; float16 (angle, row, column) with the margin."""
        import torch

        from simulators import optics
        from simulators.side_by_side import each

        rows, columns = self.size.rows + 2 * MARGIN_PX, self.size.columns + 2 * MARGIN_PX
        result = np.empty((len(angles), rows, columns), np.float16)
        top, left = (pad - MARGIN_PX for pad in self._padding)
        kernels, blur, materials = self._kernels, self._blur, self._materials

        def compute(start: int) -> None:
            part = angles[start : start + self._chunk]
            paths = [self._path_um(part, *material) for material in materials]
            intensity = optics.image(optics.sample_wave(self.instrument, *paths), kernels)
            intensity = torch.fft.irfft2(torch.fft.rfft2(intensity) * blur, s=self._grid)
            result[start : start + len(part)] = (
                intensity[:, top : top + rows, left : left + columns].clamp_min(0).cpu().numpy()
            )

        each(compute, range(0, len(angles), self._chunk), device=self._device)
        return result

    @cached_property
    def _grid(self) -> tuple[int, int]:
        """Padded (row, column) of the waves: products of 2, 3 and 5, which every FFT likes."""
        rows = self.size.rows + 2 * max(int(_ROW_PAD_UM / self.pixel_um), MARGIN_PX + 2)
        columns = self.size.columns + 2 * max(int(_COLUMN_PAD_UM / self.pixel_um), MARGIN_PX + 2)
        return next_fast_len(rows, real=True), next_fast_len(columns, real=True)

    @property
    def _padding(self) -> tuple[int, int]:
        return (self._grid[0] - self.size.rows) // 2, (self._grid[1] - self.size.columns) // 2

    @cached_property
    def _kernels(self) -> torch.Tensor:
        import torch

        from simulators.optics import imaging_kernels

        one, shape = self.instrument, self._grid
        key = content_hash(one.optics, one.wavelength_um, shape, self.pixel_um)
        kernels = cached(
            "kernels",
            key,
            lambda: imaging_kernels(one, shape, self.pixel_um, device=self._device).cpu().numpy(),
        )
        return torch.from_numpy(np.array(kernels)).to(self._device)

    @cached_property
    def _blur(self) -> torch.Tensor:
        from simulators.optics import blur_transfer

        fwhm = self.instrument.optics.psf_fwhm_um
        return blur_transfer(self._grid, self.pixel_um, fwhm, binning=self.size.binning, device=self._device)

    @cached_property
    def _materials(self) -> list[tuple[Projector, torch.Tensor]]:
        """Bone, weighted by its density, and polymer: a projector of its support, and values (pixel, z)."""
        import torch

        from simulators.projector import Projector

        centre = self.rotation_axis_px + self._padding[1]
        found = []
        for fraction, is_bone in ((self.phantom.bone, True), (self.phantom.polymer, False)):
            support = np.asarray((fraction > 0).any(axis=0))
            values = np.empty((int(support.sum()), self.size.rows), np.float32)
            for row in range(self.size.rows):
                plane = fraction[row][support].astype(np.float32) / 255
                values[:, row] = plane * self.phantom.density_at(row)[support] if is_bone else plane
            projector = Projector(support, columns=self._grid[1], centre_px=centre, device=self._device)
            found.append((projector, torch.as_tensor(values, device=self._device)))
        return found

    def _path_um(self, angles: Angles, projector: Projector, values: torch.Tensor) -> torch.Tensor:
        """Path length (angle, row, column) in um on the padded grid; rows beyond the sample mirror it."""
        import torch

        path = projector.project(angles, values) * self.pixel_um
        top = self._padding[0]
        rows = np.pad(
            np.arange(self.size.rows), (top, self._grid[0] - self.size.rows - top), mode="symmetric"
        )
        return path[:, torch.as_tensor(rows, device=self._device)]


def block_mean(array: npt.NDArray[np.float32], block: tuple[int, int, int]) -> npt.NDArray[np.float32]:
    """Average blocks of a 3-D array; what does not fill a block at the far ends is left out."""
    if block == (1, 1, 1):
        return array
    counts = [length // size for length, size in zip(array.shape, block, strict=True)]
    kept = array[tuple(slice(count * size) for count, size in zip(counts, block, strict=True))]
    split = [number for pair in zip(counts, block, strict=True) for number in pair]
    return np.asarray(kept.reshape(split).mean(axis=(1, 3, 5), dtype=np.float32))


def _angle_key(angle_rad: float) -> int:
    """Angles that agree within a nanoradian share their image."""
    if not np.isfinite(angle_rad):
        raise ValueError(f"the angle is {angle_rad}: give radians, from the rotation stage's readback")
    return round(float(angle_rad) * 1e9)
