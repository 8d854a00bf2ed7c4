from dataclasses import FrozenInstanceError, replace

import numpy as np
import pytest

from simulators import instruments
from simulators.instruments import load_instrument, randomised
from simulators.sizes import SIZES, size_named


@pytest.mark.parametrize(
    ("name", "energy_kev", "pixel_um", "exposure_s"),
    [("anatomix", 10, 0.094, 1.0), ("p05", 11, 0.088, 0.086)],
)
def test_published_values(name, energy_kev, pixel_um, exposure_s):
    one = load_instrument(name)
    assert (one.energy_kev, one.pixel_um, one.exposure_s) == (energy_kev, pixel_um, exposure_s)
    assert one.phase_shift_rad == pytest.approx(-np.pi / 2)


@pytest.mark.parametrize(
    ("name", "bone_rad", "polymer_rad", "bone_mu", "polymer_mu"),
    [("anatomix", 0.217, 0.135, 0.0061, 0.00034), ("p05", 0.197, 0.123, 0.0046, 0.00025)],
)
def test_phase_and_attenuation_per_micrometre(name, bone_rad, polymer_rad, bone_mu, polymer_mu):
    one = load_instrument(name)
    k = one.wavenumber_per_um
    assert k * one.bone.delta == pytest.approx(bone_rad, abs=5e-4)
    assert k * one.polymer.delta == pytest.approx(polymer_rad, abs=5e-4)
    assert 2 * k * one.bone.beta == pytest.approx(bone_mu, abs=5e-5)
    assert 2 * k * one.polymer.beta == pytest.approx(polymer_mu, abs=5e-6)


def test_an_unknown_instrument_names_the_known_ones():
    with pytest.raises(ValueError, match=r"'id16'.*anatomix, p05"):
        load_instrument("id16")


def test_an_unknown_or_missing_key_is_refused():
    with pytest.raises(ValueError, match=r"plate: unknown key bta"):
        instruments._build(instruments.Material, {"delta": 1.0, "beta": 1.0, "bta": 1.0}, "plate")
    with pytest.raises(ValueError, match="beta"):
        instruments._build(instruments.Material, {"delta": 1.0}, "plate")


def test_instruments_do_not_change():
    with pytest.raises(FrozenInstanceError):
        load_instrument("p05").energy_kev = 9.0


def test_randomised_varies_what_is_unknown_and_keeps_what_is_published(name):
    one = load_instrument(name)
    drawn = [randomised(one, seed) for seed in range(40)]
    assert randomised(one, 7) == drawn[7]
    for other in drawn:
        assert (other.energy_kev, other.pixel_um, other.bone, other.polymer) == (
            one.energy_kev,
            one.pixel_um,
            one.bone,
            one.polymer,
        )
        assert other.optics.phase_shift_rad == one.optics.phase_shift_rad
        assert other.optics.plate_shape == one.optics.plate_shape
        assert 0.01 < other.sample.porosity < 0.04
        assert 0.5 < other.optics.plate_transmission < 1
    for vary in (
        lambda one: one.optics.plate_width_per_um,
        lambda one: one.optics.plate_shift_per_um[0],
        lambda one: one.camera.photons,
        lambda one: one.sample.groove_depth,
        lambda one: one.sample.density_scale,
    ):
        assert len({vary(other) for other in drawn}) == 40


def test_sizes_cover_the_same_field_of_view_up_to_the_paper(name):
    one = load_instrument(name)
    paper = SIZES["paper"]
    assert (paper.rows, paper.columns, paper.projection_count) == (420, 512, 720)
    assert paper.pixel_um(one) == one.pixel_um
    assert SIZES["medium"].columns * SIZES["medium"].pixel_um(one) == pytest.approx(512 * one.pixel_um)
    assert size_named(paper) is paper
    with pytest.raises(ValueError, match=r"'huge'.*tiny, demo, small, medium, slab, paper"):
        size_named("huge")


def test_sample_and_optics_can_be_crossed():
    crossed = replace(load_instrument("anatomix"), sample=load_instrument("p05").sample)
    assert crossed.sample.groove_depth == 0.12
    assert crossed.optics.plate_shape == "dots"
