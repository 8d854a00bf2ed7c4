from dataclasses import replace

import numpy as np
import pytest
import torch

from simulators import optics
from simulators.imager import Imager
from simulators.instruments import load_instrument

PIXEL_UM = 0.188


def _with(instrument, **changes):
    return replace(instrument, optics=replace(instrument.optics, **changes))


def _symmetric(instrument):
    return _with(instrument, condenser_gradient=(0.0, 0.0), plate_shift_per_um=(0.0, 0.0))


def test_condenser_points_lie_on_their_rings(name):
    one = load_instrument(name).optics
    kx, kz, weight = optics.source_points(one)
    assert len(weight) == 3 * 24 * 5
    assert weight.sum() == pytest.approx(1)
    off_ring = np.min(np.abs(np.hypot(kx, kz)[:, None] - np.array(one.ring_radii_per_um)), axis=1)
    assert off_ring.max() <= one.beamlet_width_per_um / 2 + 1e-3
    assert (weight * kx).sum() > 0, "the gradient makes the +x side brighter"


def test_direct_light_passes_the_plate_and_scattered_light_does_not(name):
    one = load_instrument(name)
    kx, kz, _ = (torch.as_tensor(part, dtype=torch.float32) for part in optics.source_points(one.optics))
    hit = optics.pupil(kx, kz, one.optics)
    plate = one.optics.plate_transmission * np.exp(1j * one.phase_shift_rad)
    assert torch.allclose(hit[::5], torch.full_like(hit[::5], complex(plate)), atol=1e-5)
    beside = optics.pupil(torch.tensor([6.2, 0.0, 11.0]), torch.zeros(3), one.optics)
    assert beside.tolist() == pytest.approx([1, 1, 0])


@pytest.mark.parametrize("count", [1, 3, 8])
def test_a_flat_field_images_to_one_with_any_number_of_kernels(name, count):
    one = _with(load_instrument(name), kernel_count=count)
    kernels = optics.imaging_kernels(one, (24, 30), PIXEL_UM)
    flat = optics.image(torch.ones((24, 30), dtype=torch.complex64), kernels)
    assert flat.numpy() == pytest.approx(1, abs=1e-4)


@pytest.mark.parametrize(("name", "bound"), [("anatomix", 2e-4), ("p05", 6e-3)])
def test_kernels_agree_with_the_exact_sum_over_the_source(name, bound):
    imager = Imager(load_instrument(name), "tiny", 3)
    microscope = imager.microscope
    paths = [microscope._path_um(np.array([0.4]), *material) for material in microscope._materials]
    wave = optics.sample_wave(imager.instrument, *paths)
    spectrum = torch.fft.fft2(wave)
    qz, qx = optics._frequencies(microscope._grid, microscope.pixel_um, "cpu")
    stack = optics.abbe_stack(imager.instrument, qx, qz).reshape(-1, *microscope._grid)
    exact = sum(torch.fft.ifft2(spectrum * point).abs() ** 2 for point in stack)
    exact /= (stack[:, 0, 0].abs() ** 2).sum()
    error = (optics.image(wave, microscope._kernels) - exact).pow(2).mean().sqrt()
    assert exact.std() > 0.15
    assert error < bound


def test_weak_phase_follows_the_linear_transfer_function_of_a_ring():
    """delta I = (2 sin theta / t) (1 - M) phi with M = (2 / pi) arcsin(w / 2 q) for a ring of width w."""
    one = _symmetric(load_instrument("p05"))
    one = _with(one, kernel_count=60, plate_width_per_um=0.22, beamlet_width_per_um=0.0, beamlet_count=96)
    size, pixel_um, phase = 256, 0.188, 1e-3
    kernels = optics.imaging_kernels(one, (8, size), pixel_um)
    x = torch.arange(size) * pixel_um
    for cycles in (12, 24, 36):
        q = cycles / (size * pixel_um)
        ripple = phase * torch.cos(2 * np.pi * q * x)
        wave = torch.polar(torch.ones((8, size)), ripple.expand(8, size).contiguous())
        contrast = (optics.image(wave, kernels)[0] - 1) @ torch.cos(2 * np.pi * q * x) * 2 / size / phase
        shared = 2 / np.pi * np.arcsin(min(1, 0.22 / (2 * q)))
        expected = 2 * np.sin(one.phase_shift_rad) / one.optics.plate_transmission * (1 - shared)
        assert float(contrast) == pytest.approx(expected, rel=0.12), q


@pytest.mark.parametrize(("shift_rad", "sign"), [(-np.pi / 2, 1), (np.pi / 2, -1)])
def test_the_sign_of_the_plate_decides_whether_bone_is_bright(name, shift_rad, sign):
    one = _with(load_instrument(name), phase_shift_rad=shift_rad)
    x = (torch.arange(96) - 47.5) * PIXEL_UM
    bone_um = (0.5 * torch.exp(-((x / 0.7) ** 2))).expand(16, 96)
    wave = optics.sample_wave(one, bone_um, 0 * bone_um)
    image = optics.image(wave, optics.imaging_kernels(one, (16, 96), PIXEL_UM))
    assert sign * (float(image[8, 48]) - 1) > 0.05


def test_coarse_absorption_alone_follows_beer_and_lambert():
    one = load_instrument("p05")
    dark = replace(one, bone=replace(one.bone, delta=0.0, beta=1e-6))
    x = torch.arange(480) * PIXEL_UM
    thickness = (1.0 + torch.cos(2 * np.pi * x / (480 * PIXEL_UM))).expand(8, 480).contiguous()
    image = optics.image(
        optics.sample_wave(dark, thickness, 0 * thickness), optics.imaging_kernels(dark, (8, 480), PIXEL_UM)
    )
    mu = 2 * dark.wavenumber_per_um * 1e-6
    contrast = float(torch.log(image[4].max() / image[4].min()))
    assert contrast == pytest.approx(2 * mu, rel=0.1)


def test_symmetric_optics_see_mirror_images_after_half_a_turn_and_real_ones_do_not():
    def difference(instrument):
        imager = Imager(replace(instrument, axis_offset_um=0.0), "tiny", 2)
        inner = slice(4, -4)
        here, there = imager.clean(0.0)[:, inner], imager.clean(np.pi)[:, ::-1][:, inner]
        return np.sqrt(np.mean((here - there) ** 2)) / here.std()

    one = load_instrument("anatomix")
    assert difference(_symmetric(one)) < 0.01
    assert difference(one) > 0.2


def test_radiographs_of_an_edge_resolve_what_was_published(name):
    """Full width at half maximum of the line spread of a thin edge: 130 to 150 nm."""
    one = load_instrument(name)
    pixel_um, shape = one.pixel_um / 8, (4, 4096)
    bone_um = torch.zeros(shape)
    bone_um[:, 1024:3072] = 1.0
    image = optics.image(
        optics.sample_wave(one, bone_um, 0 * bone_um), optics.imaging_kernels(one, shape, pixel_um)
    )
    blur = optics.blur_transfer(shape, pixel_um, one.optics.psf_fwhm_um, binning=1)
    edge = torch.fft.irfft2(torch.fft.rfft2(image) * blur, s=shape)[0, 900:1150].numpy()
    spread = np.gradient(edge)
    width_nm = np.count_nonzero(spread > spread.max() / 2) * pixel_um * 1e3
    assert 120 < width_nm < 155


def test_defocus_changes_the_image_and_keeps_the_flat():
    near, far = (_with(load_instrument("p05"), defocus_um=defocus) for defocus in (0.0, 300.0))
    bone_um = torch.zeros((16, 96))
    bone_um[:, 40:60] = 2.0
    images = [
        optics.image(
            optics.sample_wave(one, bone_um, 0 * bone_um), optics.imaging_kernels(one, (16, 96), PIXEL_UM)
        )
        for one in (near, far)
    ]
    assert float((images[0] - images[1]).abs().max()) > 0.02
    flat = optics.image(
        torch.ones((16, 96), dtype=torch.complex64), optics.imaging_kernels(far, (16, 96), PIXEL_UM)
    )
    assert flat.numpy() == pytest.approx(1, abs=1e-4)
