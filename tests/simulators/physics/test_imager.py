from dataclasses import replace

import numpy as np
import pytest

from simulators.imager import Imager, _moved
from simulators.instruments import load_instrument
from simulators.microscope import MARGIN_PX, Microscope


def test_attributes_describe_the_scan(tiny):
    assert tiny.shape == (48, 64)
    assert tiny.pixel_um == pytest.approx(0.282)
    assert tiny.energy_kev == 10
    assert tiny.phase_shift_rad == pytest.approx(-np.pi / 2)
    assert tiny.rotation_axis_px == pytest.approx(31.5 + 0.31 / 0.282)
    assert len(tiny.nominal_angles_rad) == tiny.projection_count
    assert tiny.nominal_angles_rad[-1] == pytest.approx(np.pi * (1 - 1 / tiny.projection_count))


def test_frames_are_repeatable_and_differ_by_exposure_and_seed(tiny):
    frame = tiny.expose(angle_rad=0.3, exposure=11)
    assert frame.shape == tiny.shape
    assert frame.dtype == np.uint16
    again = Imager(load_instrument("anatomix"), "tiny", 1).expose(angle_rad=0.3, exposure=11)
    assert np.array_equal(frame, again)
    assert not np.array_equal(frame, tiny.expose(angle_rad=0.3, exposure=12))
    other = Imager(load_instrument("anatomix"), "tiny", 2).expose(angle_rad=0.3, exposure=11)
    assert not np.array_equal(frame, other)


def test_order_of_exposures_does_not_matter(tiny):
    forward = [tiny.expose(angle_rad=0.1 * n, exposure=n) for n in range(4)]
    backward = [tiny.expose(angle_rad=0.1 * n, exposure=n) for n in (3, 2, 1, 0)][::-1]
    assert np.array_equal(forward, backward)


def test_shutter_and_sample_do_what_they_say(tiny):
    dark = tiny.expose(angle_rad=0, shutter_open=False, exposure=0)
    flat = tiny.expose(angle_rad=0, sample_in=False, exposure=1)
    assert np.median(dark) == pytest.approx(100, abs=3)
    assert 9000 < np.median(flat) < 13000
    assert np.array_equal(flat, tiny.expose(angle_rad=1.0, sample_in=False, exposure=1))
    with pytest.raises(ValueError, match="exposure -1 is negative"):
        tiny.expose(angle_rad=0, exposure=-1)
    with pytest.raises(ValueError, match="the angle is nan"):
        tiny.expose(angle_rad=float("nan"), exposure=1)


def test_a_frame_over_the_flat_is_the_clean_image_moved_and_noisy(tiny):
    camera = replace(tiny.instrument.camera, photons=1e6, electrons_per_count=184.0, hot_share=0.0)
    motion = replace(tiny.instrument.motion, drift_x_um=0, drift_z_um=0, vibration_x_um=0, vibration_z_um=0)
    beam = replace(tiny.instrument.beam, jitter=0.0, decay=0.0)
    bright = Imager(replace(tiny.instrument, camera=camera, motion=motion, beam=beam), "tiny", 1)
    frame, flat = (
        bright.expose(angle_rad=0.5, sample_in=sample, exposure=0) - 100.0 for sample in (True, False)
    )
    ratio = frame / flat
    clean = bright.clean(0.5)
    assert np.abs(ratio - clean).mean() < 0.01 * clean.mean()


def test_motion_moves_the_sample_by_what_is_reported(tiny):
    image = tiny.microscope.image(0.2)
    clean = tiny.clean(0.2)
    slope_z, slope_x = np.gradient(clean.astype(np.float64))
    inner = (slice(6, -6), slice(6, -6))
    for shift in ((0.3, -0.2), (-0.4, 0.45)):
        change = (_moved(image, shift) - clean)[inner].ravel()
        design = np.stack([-slope_z[inner].ravel(), -slope_x[inner].ravel()], axis=1)
        found = np.linalg.lstsq(design, change, rcond=None)[0]
        assert found == pytest.approx(shift, abs=0.06)
    assert np.allclose(_moved(image, (2.0, -1.0))[4:-4, 4:-4], clean[2:-6, 5:-3], atol=1e-5)


def test_drift_is_slow_and_vibration_is_not(tiny):
    exposures = tiny.projection_count + 60
    path = np.array([tiny.motion_px(n) for n in range(exposures)]) * tiny.pixel_um
    motion = tiny.instrument.motion
    steps = np.diff(path, axis=0).std(axis=0) / np.sqrt(2)
    assert steps == pytest.approx([motion.vibration_z_um, motion.vibration_x_um], rel=0.25)
    smooth = np.apply_along_axis(np.convolve, 0, path, np.ones(15) / 15, "valid")
    assert np.ptp(smooth[:, 1]) > 0.5 * motion.drift_x_um
    assert np.abs(path.mean(axis=0)).max() < 0.05
    assert np.abs(path / tiny.pixel_um).max() < MARGIN_PX - 2


def test_prepared_images_come_from_the_cache_next_time(tiny, monkeypatch):
    angles = np.linspace(0, 3, 7)
    tiny.prepare(angles)
    expected = tiny.clean(angles[3])
    monkeypatch.setattr(Microscope, "_compute", lambda *_: pytest.fail("computed again"))
    other = Imager(load_instrument("anatomix"), "tiny", 1)
    other.prepare(angles)
    assert np.array_equal(other.clean(angles[3]), expected)


def test_an_angle_gives_the_same_bits_alone_and_in_company(tiny):
    angles = np.array([0.123, 0.456])
    alone = tiny.clean(0.456)
    tiny.prepare(angles)
    assert np.array_equal(tiny.clean(0.456), alone)


def test_the_cache_is_keyed_by_the_physics_and_not_by_the_camera(cache_folder):
    one = load_instrument("p05")

    def files():
        return len(list(cache_folder.glob("images-*.npy")))

    def prepare(instrument):
        before = files()
        Imager(instrument, "tiny", 77).prepare([0.5])
        return files() - before

    assert prepare(one) == 1
    assert prepare(one) == 0
    assert prepare(replace(one, camera=replace(one.camera, photons=10.0))) == 0
    assert prepare(replace(one, optics=replace(one.optics, plate_transmission=0.8))) == 1
    assert prepare(replace(one, sample=replace(one.sample, porosity=0.03))) == 1
    assert not list(cache_folder.glob("*.part"))


def test_denser_bone_delays_the_wave_more(tiny):
    sample = replace(tiny.instrument.sample, density_sigma=0.0, polymer_um=0.0)
    paths = []
    for scale in (1.0, 0.9):
        light = replace(tiny.instrument, sample=replace(sample, density_scale=scale))
        microscope = Imager(light, "tiny", 1).microscope
        paths.append(microscope._path_um(np.array([0.7]), *microscope._materials[0]).numpy())
    assert paths[0].max() > 8
    assert paths[1] == pytest.approx(0.9 * paths[0], rel=1e-5)


@pytest.mark.parametrize("shift_rad", [np.pi / 2, -np.pi / 2])
def test_bone_reconstructs_bright_whatever_the_sign_of_the_plate(tiny, shift_rad):
    one = replace(tiny.instrument, optics=replace(tiny.instrument.optics, phase_shift_rad=shift_rad))
    imager = Imager(one, "tiny", 1)
    grey = imager.microscope.reconstruction(imager.nominal_angles_rad)
    bone, lcn = (np.median(grey[imager.phantom.labels == label]) for label in (1, 2))
    assert bone - lcn > 0.02


def test_a_binned_reconstruction_lies_on_the_same_bone(tiny):
    angles = tiny.nominal_angles_rad
    fine, coarse = (tiny.microscope.reconstruction(angles, binning=binning) for binning in (1, 2))
    assert coarse.shape == (24, 32, 32)
    mean = fine.reshape(24, 2, 32, 2, 32, 2).mean(axis=(1, 3, 5))
    whole = tiny.phantom.envelope.reshape(24, 2, 32, 2, 32, 2).all(axis=(1, 3, 5))
    assert np.corrcoef(2 * mean[whole], coarse[whole])[0, 1] > 0.97


def test_dropped_frames_follow_the_camera(tiny):
    assert not any(tiny.is_dropped(n) for n in range(500))
    camera = replace(tiny.instrument.camera, dropped_share=0.1)
    lossy = Imager(replace(tiny.instrument, camera=camera), "tiny", 1)
    lost = [n for n in range(2000) if lossy.is_dropped(n)]
    assert len(lost) == pytest.approx(200, rel=0.25)
    assert lost == [n for n in range(2000) if lossy.is_dropped(n)]


def test_labels_are_the_phantom_plus_shade_off(tiny):
    labels, phantom = tiny.labels, tiny.phantom.labels
    assert labels.shape == (48, 64, 64)
    assert labels.dtype == np.uint8
    assert np.array_equal(labels == 2, phantom == 2)
    assert np.array_equal(labels == 0, phantom == 0)
    assert np.array_equal(labels % 2 == 1, phantom == 1)
    assert tiny.shade_off_rule.threshold == 0.12
    share = (labels == 3).sum() / (phantom == 1).sum()
    assert share == pytest.approx(tiny.shade_off_rule.fraction_of_bone)
