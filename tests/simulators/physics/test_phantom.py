from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.ndimage import label

from simulators.instruments import Sample, load_instrument
from simulators.phantom import BACKGROUND, BONE, LCN, _stamp_lacuna, _stamp_tube, make_phantom
from simulators.pores import Lacuna, Tube, mean_lacuna_volume_um3, neighbour_pairs


@pytest.fixture(scope="module")
def bone():
    return make_phantom(load_instrument("anatomix").sample, rows=144, columns=192, voxel_um=0.188, seed=5)


@settings(max_examples=4, deadline=None)
@example(seed=2390, porosity=0.01953125)
@given(seed=st.integers(0, 10**6), porosity=st.floats(0.015, 0.03))
def test_porosity_is_what_was_asked_for(seed, porosity):
    sample = replace(load_instrument("anatomix").sample, porosity=porosity)
    phantom = make_phantom(sample, rows=96, columns=192, voxel_um=0.188, seed=seed)
    assert phantom.porosity == pytest.approx(porosity, rel=0.04)


def test_lacunae_have_published_size_and_density(bone):
    bone_um3 = np.count_nonzero(bone.envelope) * bone.voxel_um**3
    density_per_mm3 = len(bone.lacunae) / bone_um3 * 1e9
    assert 1e5 < density_per_mm3 < 5e5
    for lacuna in bone.lacunae:
        assert 25 < lacuna.volume_um3 < 150
        assert 2 * lacuna.semi_axes_um.min() < 4.2
        assert abs(lacuna.axes[0] @ [1, 0, 0]) > 0.8, "long axis lies along the bone"
        assert lacuna.axes @ lacuna.axes.T == pytest.approx(np.eye(3), abs=1e-9)


def test_canaliculi_have_published_diameters_and_reach_lacunae(bone):
    diameters = 2 * np.concatenate([tube.radius_um for tube in bone.canaliculi])
    assert diameters.min() > 0.13
    assert diameters.max() < 0.66
    assert 0.2 < np.median(diameters) < 0.5
    begins = np.array([tube.points_um[0] for tube in bone.canaliculi])
    inside = np.max([lacuna.distance_um(begins) for lacuna in bone.lacunae], axis=0) > -0.2
    assert inside.mean() > 0.6, "all but branches leave a lacuna"


def test_steps_along_a_canaliculus_are_short(bone):
    for tube in bone.canaliculi:
        steps = np.linalg.norm(np.diff(tube.points_um, axis=0), axis=1)
        assert steps.max() < 1.0


def test_labels_agree_with_the_materials(bone):
    assert set(np.unique(bone.labels)) == {BACKGROUND, BONE, LCN}
    assert np.array_equal(bone.labels > 0, bone.envelope)
    assert bone.bone[bone.labels == LCN].max() <= 128
    assert bone.bone[bone.labels == BONE].min() >= 63
    assert np.all(bone.labels[bone.polymer > 128] == BACKGROUND)
    assert not np.any((bone.bone.astype(int) + bone.polymer) > 256)


def test_lcn_is_connected_far_better_than_lacunae_alone(bone):
    pieces, count = label(bone.labels == LCN, np.ones((3, 3, 3)))
    largest = np.bincount(pieces.ravel())[1:].max() / np.count_nonzero(pieces)
    assert largest > 0.5
    assert count < 120


def test_outline_is_concave_where_the_sample_is():
    def concavity(depth):
        sample = Sample(groove_depth=depth, roughness_um=0.0)
        envelope = make_phantom(sample, rows=8, columns=192, voxel_um=0.188, seed=3).envelope[4]
        return _hull_area(envelope) / envelope.sum() - 1

    assert concavity(0.40) > 0.03
    assert concavity(0.0) < 0.015


def test_polymer_lies_on_part_of_the_surface(bone):
    covered = bone.polymer > 128
    assert covered.any()
    y, x = np.nonzero(covered[72])
    angles = np.arctan2(95.5 - y, x - 95.5)
    spread = np.abs(np.exp(1j * angles).mean())
    assert spread > 0.6, "one flank, not all around"
    assert not make_phantom(Sample(polymer_um=0.0), rows=8, columns=96, voxel_um=0.188, seed=3).polymer.any()


def test_seed_decides_everything():
    sample = Sample()
    one, same, other = (
        make_phantom(sample, rows=16, columns=96, voxel_um=0.282, seed=seed) for seed in (1, 1, 2)
    )
    assert np.array_equal(one.bone, same.bone)
    assert np.array_equal(one.labels, same.labels)
    assert not np.array_equal(one.labels, other.labels)


def test_density_varies_by_its_sigma(bone):
    plane = bone.density_at(40)
    assert plane.shape == bone.bone.shape[1:]
    assert plane.mean() == pytest.approx(1, abs=0.01)
    assert 0.008 < plane.std() < 0.03


def test_a_vascular_canal_is_background_inside_the_envelope():
    sample = Sample(vascular_canal_radius_um=1.5)
    phantom = make_phantom(sample, rows=8, columns=192, voxel_um=0.188, seed=3)
    bored = phantom.envelope & (phantom.labels == BACKGROUND)
    area_um2 = bored[4].sum() * 0.188**2
    assert area_um2 == pytest.approx(np.pi * 1.5**2, rel=0.05)
    assert phantom.bone[bored].max() <= 128


def test_a_field_too_small_is_refused():
    with pytest.raises(ValueError, match="too small"):
        make_phantom(Sample(), rows=8, columns=32, voxel_um=0.1, seed=0)


def test_stamped_ellipsoid_has_its_volume():
    axes = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0].T
    lacuna = Lacuna(
        centre_um=np.array([5.0, 0.3, -0.2]),
        semi_axes_um=np.array([4.0, 2.0, 1.4]),
        axes=axes,
        waves=np.zeros((4, 4)),
    )
    void = np.zeros((100, 100, 100), np.uint8)
    _stamp_lacuna(void, lacuna, 1.0, 0.1)
    assert (void / 255).sum() * 1e-3 == pytest.approx(lacuna.volume_um3, rel=0.01)
    weights = void / void.sum()
    z, y, x = np.indices(void.shape)
    centre = [(z * weights).sum(), (y * weights).sum(), (x * weights).sum()]
    assert centre == pytest.approx([50, 49.5 - 3, 49.5 - 2], abs=0.1)


def test_stamped_tube_has_its_volume():
    z = np.arange(2.0, 8.01, 0.25)
    tube = Tube(points_um=np.stack([z, 0.3 * z, 0 * z], 1), radius_um=np.full(len(z), 0.4))
    void = np.zeros((100, 100, 100), np.uint8)
    _stamp_tube(void, tube, 0.1)
    length = 6 * np.hypot(1, 0.3)
    expected = np.pi * 0.4**2 * length + 4 / 3 * np.pi * 0.4**3
    assert (void / 255).sum() * 1e-3 == pytest.approx(expected, rel=0.03)


def test_neighbours_of_a_line_are_its_links():
    line = np.array([[0, 0, 0], [0, 0, 1.0], [0, 0, 2.5], [0, 0, 3.0]])
    assert neighbour_pairs(line) == [(0, 1), (1, 2), (2, 3)]
    assert neighbour_pairs(np.empty((0, 3))) == []


def test_mean_volume_scales_with_the_cube():
    assert mean_lacuna_volume_um3(Sample(), 0.5) == pytest.approx(mean_lacuna_volume_um3(Sample(), 1.0) / 8)
    assert mean_lacuna_volume_um3(Sample(), 1.0) > 48


def _hull_area(mask):
    """Area of the convex hull of a mask, by Andrew's monotone chain and the shoelace formula."""
    corners = [(0.5, 0.5), (0.5, -0.5), (-0.5, 0.5), (-0.5, -0.5)]
    points = sorted({(y + dy, x + dx) for y, x in np.argwhere(mask).tolist() for dy, dx in corners})

    def half(points):
        chain = []
        for p in points:
            while len(chain) > 1 and _turn(chain[-2], chain[-1], p) <= 0:
                chain.pop()
            chain.append(p)
        return chain[:-1]

    y, x = np.array(half(points) + half(points[::-1]), float).T
    return 0.5 * abs(np.dot(x, np.roll(y, 1)) - np.dot(y, np.roll(x, 1)))


def _turn(a, b, c):
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
