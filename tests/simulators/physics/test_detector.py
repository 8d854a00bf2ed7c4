from dataclasses import replace

import numpy as np
import pytest

from simulators.camera import Detector, Illumination
from simulators.instruments import load_instrument

SHAPE = (120, 160)


def _detector(name, **changes):
    camera = replace(load_instrument(name).camera, **changes)
    return camera, Detector(camera, SHAPE, 1, seed=4)


def test_a_dark_is_offset_and_read_noise(name, rng):
    camera, detector = _detector(name, hot_share=0.0)
    frames = np.stack([detector.expose(None, rng) for _ in range(20)]).astype(float)
    assert frames.mean() == pytest.approx(camera.offset_counts, abs=1)
    expected = np.hypot(camera.read_noise_electrons / camera.electrons_per_count, np.sqrt(1 / 12))
    assert frames.std(axis=0, ddof=1).mean() == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize(("name", "mean"), [("anatomix", 12057), ("p05", 3448)])
def test_an_even_beam_gives_the_mean_and_noise_of_its_photons(name, mean, rng):
    camera, detector = _detector(name, hot_share=0.0)
    frames = np.stack([detector.expose(np.ones(SHAPE, np.float32), rng) for _ in range(30)]).astype(float)
    assert frames.mean() == pytest.approx(mean, rel=0.01)
    gain = camera.electrons_per_photon
    variance = camera.photons * (gain**2 + camera.excess_variance) + camera.read_noise_electrons**2
    expected = np.sqrt(variance) / camera.electrons_per_count
    assert frames.std(axis=0, ddof=1).mean() == pytest.approx(expected, rel=0.04)
    fixed = frames.mean(axis=0).std() / mean
    assert fixed == pytest.approx(camera.response_sigma, rel=0.2)


def test_binning_keeps_the_counts_and_lowers_their_noise(rng):
    camera = replace(load_instrument("p05").camera, response_sigma=0.0, nonlinearity_sigma=0.0, hot_share=0.0)
    one, two = (
        Detector(camera, SHAPE, binning, 4).expose(np.ones(SHAPE, np.float32), rng) for binning in (1, 2)
    )
    assert two.mean() == pytest.approx(one.mean(), rel=0.005)
    assert one.std() / two.std() == pytest.approx(2, rel=0.15)


def test_hot_pixels_stand_out_in_darks(rng):
    camera, detector = _detector("anatomix", hot_share=0.01)
    dark = detector.expose(None, rng)
    assert 0.005 < detector.hot.mean() < 0.015
    assert np.array_equal(dark > camera.offset_counts + camera.hot_counts / 2, detector.hot)


def test_pixels_bend_apart_so_that_flats_leave_rings(rng):
    noiseless = {"photons": 2e5, "electrons_per_photon": 0.05, "excess_variance": 0.0, "hot_share": 0.0}
    _, detector = _detector("anatomix", response_sigma=0.0, **noiseless)
    bright, dim = (detector.expose(np.full(SHAPE, level, np.float32), rng) - 100.0 for level in (1.0, 0.3))
    ratio = dim / bright
    assert 0.003 < ratio.std() / ratio.mean() < 0.008


def test_too_much_light_saturates(rng):
    _, detector = _detector("anatomix")
    assert detector.expose(np.full(SHAPE, 20, np.float32), rng).min() == 65535


def _illumination(name, **changes):
    return Illumination(replace(load_instrument(name).beam, **changes), SHAPE, 0.188, seed=4)


def test_the_empty_beam_is_structured(name, rng):
    frame = _illumination(name).at(0.0, rng)
    assert frame.dtype == np.float32
    assert 0.04 < frame.std() / frame.mean() < 0.2
    assert frame[:, :20].mean() < 0.95 * frame[:, 60:100].mean(), "darker at the sides"


def test_stripes_drift_along_rows_and_nothing_else_moves(rng):
    still = {"decay": 0.0, "jitter": 0.0}
    moving, fixed = (_illumination("anatomix", **still, stripes=stripes) for stripes in (0.035, 0.0))
    change = moving.at(1.0, rng) / moving.at(0.0, rng)
    assert change.std() > 0.01
    assert change.std(axis=1).max() < 1e-5, "a stripe covers its whole row"
    assert np.array_equal(fixed.at(1.0, rng), fixed.at(0.0, rng))


def test_the_beam_decays_and_is_topped_up(rng):
    beam = _illumination("anatomix", jitter=0.0, stripes=0.0)
    levels = np.array([beam.at(progress, rng).mean() for progress in np.linspace(0, 1, 61)])
    steps = np.diff(levels)
    assert np.ptp(levels) / levels.max() == pytest.approx(0.012, rel=0.1)
    assert (steps < 0).sum() >= 57
    assert 2 <= (steps > 0).sum() <= 3
