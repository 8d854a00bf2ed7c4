"""Zernike phase contrast by partially coherent imaging: from projected thickness to intensity on the camera.

Abbe's sum over the condenser's source points is exact; its leading coherent modes (SOCS kernels) are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from simulators.instruments import Instrument, Optics

if TYPE_CHECKING:
    import torch

_PUPIL_EDGE = 0.1
_PLATE_EDGE = 0.01
_CHUNK = 16384
_MODE_CUTOFF_PER_UM = 2.7


def source_points(optics: Optics) -> tuple[npt.NDArray[np.float64], ...]:
    """Place the condenser's beamlets on their rings.

    Each beamlet is a cross of five points; odd rings are turned by half a step.

    Returns
    -------
    kx, kz, weight
        Float64 of shape (point,); frequencies in 1/um; the weights sum to 1.
    """
    half = optics.beamlet_width_per_um / 2
    cross = half * np.array([(0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)])
    kx, kz, weight = [], [], []
    for ring, radius in enumerate(optics.ring_radii_per_um):
        angle = 2 * np.pi * (np.arange(optics.beamlet_count) + 0.5 * (ring % 2)) / optics.beamlet_count
        tilt = 1 + optics.condenser_gradient[0] * np.cos(angle) + optics.condenser_gradient[1] * np.sin(angle)
        kx.append((radius * np.cos(angle)[:, None] + cross[:, 0]).ravel())
        kz.append((radius * np.sin(angle)[:, None] + cross[:, 1]).ravel())
        weight.append(np.repeat(np.clip(tilt, 0, None), len(cross)))
    total = np.concatenate(weight)
    return np.concatenate(kx), np.concatenate(kz), total / total.sum()


def pupil(kx: torch.Tensor, kz: torch.Tensor, optics: Optics) -> torch.Tensor:
    """Evaluate the pupil with its phase plate, A(k) (1 + m(k) (t exp(i theta) - 1)); complex64."""
    import torch

    radius = torch.hypot(kx, kz)
    aperture = ((optics.cutoff_per_um - radius) / _PUPIL_EDGE + 0.5).clamp(0, 1)
    plate = _plate_coverage(kx - optics.plate_shift_per_um[0], kz - optics.plate_shift_per_um[1], optics)
    step = optics.plate_transmission * np.exp(1j * optics.phase_shift_rad) - 1
    return torch.complex(aperture * (1 + step.real * plate), aperture * step.imag * plate)


def _plate_coverage(kx: torch.Tensor, kz: torch.Tensor, optics: Optics) -> torch.Tensor:
    """Share of the plate at a point of the pupil: 1 on a dot or ring, 0 beside it, a soft edge between."""
    import torch

    radii = torch.tensor(optics.ring_radii_per_um, device=kx.device)
    radius = torch.hypot(kx, kz)
    nearest = torch.bucketize(radius, (radii[1:] + radii[:-1]) / 2)
    ring_radius = radii[nearest]
    distance = (radius - ring_radius).abs()
    if optics.plate_shape == "dots":
        step = 2 * np.pi / optics.beamlet_count
        off = torch.atan2(kz, kx) / step - 0.5 * (nearest % 2)
        half_chord = torch.sin((off - off.round()) * (step / 2))
        distance = torch.sqrt(distance**2 + 4 * radius * ring_radius * half_chord**2)
    return ((optics.plate_width_per_um / 2 - distance) / _PLATE_EDGE + 0.5).clamp(0, 1)


def abbe_stack(instrument: Instrument, qx: torch.Tensor, qz: torch.Tensor) -> torch.Tensor:
    """sqrt(w_s) P(k_s + q) exp(-i pi lambda defocus |k_s + q|^2) per source point; complex64 (point, q)."""
    import torch

    points = [
        torch.as_tensor(part, dtype=torch.float32, device=qx.device)[:, None]
        for part in source_points(instrument.optics)
    ]
    kx, kz = points[0] + qx, points[1] + qz
    stack = pupil(kx, kz, instrument.optics) * points[2].sqrt()
    if instrument.optics.defocus_um:
        turn = -np.pi * instrument.wavelength_um * instrument.optics.defocus_um
        stack = stack * torch.polar(torch.ones_like(kx), turn * (kx**2 + kz**2))
    return stack


def imaging_kernels(
    instrument: Instrument, shape: tuple[int, int], pixel_um: float, *, device: str = "cpu"
) -> torch.Tensor:
    """Compute the leading coherent modes of the microscope.

    The Gram matrix of the source points, weighted by the spectrum (0.02 + |q|)^-1.5 of a typical object,
    gives the modes; a flat field images to exactly 1 for any number of them.

    Returns
    -------
    torch.Tensor
        Complex64 of shape (kernel, row, column), in FFT order.
    """
    import torch

    from simulators.side_by_side import each

    qz, qx = _frequencies(shape, pixel_um, device)
    magnitude = torch.hypot(qx, qz)

    def gram_of(part: torch.Tensor) -> torch.Tensor:
        stack = abbe_stack(instrument, qx[part], qz[part]) * (0.02 + magnitude[part]) ** -1.5
        return stack @ stack.conj().T

    def modes_of(gram: torch.Tensor) -> torch.Tensor:
        modes = torch.linalg.eigh(gram.to(torch.complex128))[1][:, -instrument.optics.kernel_count :]
        return modes.flip(1).conj().T.to(torch.complex64)

    low = torch.nonzero(magnitude <= _MODE_CUTOFF_PER_UM).ravel()
    gram = sum(each(gram_of, _chunks(low), device=device), torch.zeros((), device=device))
    mix = each(modes_of, [gram], device=device)[0]
    every = _chunks(torch.arange(magnitude.numel(), device=device))
    parts = each(lambda part: mix @ abbe_stack(instrument, qx[part], qz[part]), every, device=device)
    kernels = torch.cat(parts, dim=1)
    kernels /= (kernels[:, 0].abs() ** 2).sum().sqrt()
    return kernels.reshape(-1, *shape)


def sample_wave(instrument: Instrument, bone_um: torch.Tensor, polymer_um: torch.Tensor) -> torch.Tensor:
    """Wave behind the sample in projection approximation, exp(-k beta T) exp(-i k delta T); complex64."""
    import torch

    k = instrument.wavenumber_per_um
    bone, polymer = instrument.bone, instrument.polymer
    amplitude = torch.exp(-k * (bone.beta * bone_um + polymer.beta * polymer_um))
    return torch.polar(amplitude, -k * (bone.delta * bone_um + polymer.delta * polymer_um))


def image(wave: torch.Tensor, kernels: torch.Tensor) -> torch.Tensor:
    """Intensity sum_k |F^-1 {F wave . kernel_k}|^2 of waves (..., row, column), 1 for a flat field."""
    import torch

    spectrum = torch.fft.fft2(wave)
    total = torch.zeros(wave.shape, dtype=torch.float32, device=wave.device)
    for kernel in kernels:
        field = torch.fft.ifft2(spectrum * kernel)
        total += field.real**2 + field.imag**2
    return total


def blur_transfer(
    shape: tuple[int, int], pixel_um: float, fwhm_um: float, *, binning: int, device: str = "cpu"
) -> torch.Tensor:
    """Transfer of Gaussian blur and, where pixels are binned, of their aperture; float32 for rfft2."""
    import torch

    qz, qx = _frequencies(shape, pixel_um, device)
    sigma = fwhm_um / 2.354820045
    transfer = torch.exp(-2 * (np.pi * sigma) ** 2 * (qx**2 + qz**2))
    if binning > 1:
        transfer = transfer * torch.sinc(qx * pixel_um) * torch.sinc(qz * pixel_um)
    return transfer.reshape(shape)[:, : shape[1] // 2 + 1].contiguous()


def _frequencies(shape: tuple[int, int], pixel_um: float, device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Spatial frequencies (qz, qx) in 1/um of an FFT grid, flattened in row-major order."""
    import torch

    rows = torch.fft.fftfreq(shape[0], pixel_um, device=device)
    columns = torch.fft.fftfreq(shape[1], pixel_um, device=device)
    qz, qx = torch.meshgrid(rows, columns, indexing="ij")
    return qz.ravel(), qx.ravel()


def _chunks(index: torch.Tensor) -> list[torch.Tensor]:
    return [index[start : start + _CHUNK] for start in range(0, len(index), _CHUNK)]
