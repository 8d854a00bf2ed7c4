from dataclasses import replace

import numpy as np
import pytest

from simulators.imager import Imager
from simulators.instruments import load_instrument
from simulators.tuning import tuned

QUIET = ("camera.read_noise_electrons=0", "camera.excess_variance=0")


def changed(*changes, name="anatomix"):
    return tuned(load_instrument(name), changes)


def test_numbers_are_changed_by_their_names():
    one = changed("camera.photons=300", "sample.porosity = 0.03", "exposure_s=2", "name='mine'")
    plain = load_instrument("anatomix")
    assert one == replace(
        plain,
        name="mine",
        exposure_s=2.0,
        camera=replace(plain.camera, photons=300.0),
        sample=replace(plain.sample, porosity=0.03),
    )
    assert type(one.exposure_s) is float
    plate = changed("optics.plate_shift_per_um=[0, 0]", "optics.plate_shape='rings'").optics
    assert plate.plate_shift_per_um == (0.0, 0.0)
    assert plate.plate_shape == "rings"
    assert changed() == plain


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("camera.hot_share", "write NAME=VALUE"),
        ("camera.hot=1", "there is no 'hot'; choose one of photons"),
        ("lens.width=1", "there is no 'lens'; choose one of name"),
        ("camera=1", "there is no ''; choose one of photons"),
        ("energy_kev.x=1", "there is no 'x'; choose one of none"),
        ("camera.photons=many", "is no value"),
        ("camera.photons='many'", "give a value like 2500.0"),
        ("camera.photons=nan", "give a value like"),
        ("optics.kernel_count=2.5", "give a value like 8"),
        ("optics.plate_shift_per_um=[1]", "give a value like"),
        ("optics.plate_shape='stars'", "choose dots or rings"),
        ("camera.hot_share=-0.1", "hot_share is -0.1: give 0 or more"),
        ("camera.dropped_share=1", "too large"),
        ("motion.drift_x_um=-1", "give 0 or more"),
    ],
)
def test_changes_that_cannot_be_made(change, message):
    with pytest.raises(ValueError, match=message):
        changed(change)


def test_an_instrument_of_ones_own(tmp_path):
    from importlib import resources

    text = resources.files("simulators").joinpath("data/p05.toml").read_text()
    path = tmp_path / "mine.toml"
    path.write_text(text.replace('"p05"', '"mine"').replace("photons = 700.0", "photons = 50.0"))
    mine = load_instrument(str(path))
    assert (mine.name, mine.camera.photons) == ("mine", 50.0)
    path.write_text("name = ")
    with pytest.raises(ValueError, match=r"cannot read the instrument .*mine\.toml"):
        load_instrument(str(path))
    with pytest.raises(ValueError, match=r"missing\.toml"):
        load_instrument(str(tmp_path / "missing.toml"))


def frames(imager, count=12, level=1.0):
    """Frames of an even beam of one level; float64 (frame, row, column)."""
    rng = np.random.default_rng(1)
    even = np.full(imager.shape, level, np.float32)
    return np.stack([imager._detector.expose(even, rng) for _ in range(count)]).astype(float) - 100


def rings(imager):
    """How unlike pixels are in the ratio of a dim and a bright beam: what flats leave."""
    return (frames(imager, 60, 0.3).mean(0) / frames(imager, 60, 1.0).mean(0)).std()


def unequal(imager):
    return frames(imager, 60).mean(0).std() / frames(imager, 60).mean()


def hot(imager):
    dark = imager.expose(angle_rad=0, shutter_open=False, exposure=0)
    return np.count_nonzero(dark > 1000)


def beam_changes(imager):
    """Greatest change of the empty beam over a scan, without its overall level."""
    rng = np.random.default_rng(0)
    first, last = (imager._illumination.at(progress, rng) for progress in (0.0, 1.0))
    ratio = last / first
    return np.ptp(ratio / ratio.mean())


def beam_levels(imager):
    rng = np.random.default_rng(0)
    return np.ptp([imager._illumination.at(progress, rng).mean() for progress in np.linspace(0, 1, 20)])


def motion(imager):
    return np.abs([imager.motion_px(number) for number in range(0, 150, 10)]).max()


def dropped(imager):
    return sum(imager.is_dropped(number) for number in range(500))


DRIFT, SHAKE = (tuple(f"motion.{kind}_{axis}_um=0" for axis in "xz") for kind in ("drift", "vibration"))


@pytest.mark.parametrize(
    ("measure", "on", "off"),
    [
        (rings, (*QUIET, "camera.nonlinearity_sigma=0.05"), ("camera.nonlinearity_sigma=0",)),
        (
            unequal,
            (*QUIET, "camera.photons=100000", "camera.electrons_per_count=20"),
            ("camera.response_sigma=0",),
        ),
        (hot, ("camera.hot_share=0.01",), ("camera.hot_share=0",)),
        (beam_changes, (), ("beam.stripe_drift_um=0",)),
        (beam_levels, ("beam.jitter=0",), ("beam.decay=0",)),
        (beam_levels, ("beam.decay=0", "beam.jitter=0.01"), ("beam.jitter=0",)),
        (motion, SHAKE, DRIFT),
        (motion, DRIFT, SHAKE),
        (dropped, ("camera.dropped_share=0.1",), ("camera.dropped_share=0",)),
    ],
    ids=lambda value: value.__name__ if callable(value) else None,
)
def test_every_flaw_is_there_and_can_be_switched_off(measure, on, off):
    with_flaw, without = (measure(Imager(changed(*changes), "tiny", 1)) for changes in (on, (*on, *off)))
    assert with_flaw > 0
    assert without < 0.35 * with_flaw
