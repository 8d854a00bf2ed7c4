"""A volume that comes in slabs gives the numbers, tables and maps of the whole, whatever the slabs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter

from streamlcn.errors import BadInput
from streamlcn.morphometry import MorphometryParameters, analyse, analyse_streamed, measure, measure_streamed
from tests.morphometry.network_phantom import network_phantom


@st.composite
def labels(draw):
    """Blobs and dust in bone beside air, with shade-off; some with lacunae, some without any network."""
    size = tuple(draw(st.integers(1, 24)) for _ in range(3))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    field = gaussian_filter(random.normal(size=size), draw(st.sampled_from([0.0, 1.0, 2.0])))
    out = np.ones(size, np.uint8)
    out[field > np.quantile(field, draw(st.sampled_from([0.6, 0.9, 0.99])))] = 2
    out[random.random(size) < 0.02] = 3
    out[..., : size[2] // 4] = 0
    out[tuple(random.integers(size))] = 1
    return out


SMALL = MorphometryParameters(
    island_threshold_voxels=5, hole_threshold_voxels=30, lacuna_thickness_um=1.0, lacuna_volume_um3=0.5
)


@settings(max_examples=30, deadline=None)
@given(labels(), st.integers(1, 25))
def test_slabs_of_any_height_give_the_same_bits(volume, height):
    def read(start, stop):
        return volume[start:stop]

    try:
        whole = analyse(volume, 0.3, SMALL)
    except BadInput as refused:
        with pytest.raises(BadInput, match=str(refused)[:20]):
            analyse_streamed(read, volume.shape, 0.3, SMALL, slab_height=height)
        return
    slabs = analyse_streamed(read, volume.shape, 0.3, SMALL, slab_height=height)
    assert slabs.morphometry == whole.morphometry
    for name, column in whole.lacunae_table.items():
        assert np.array_equal(slabs.lacunae_table[name], column, equal_nan=column.dtype.kind == "f")
    for name, column in whole.thickness_histogram.items():
        assert np.array_equal(slabs.thickness_histogram[name], column)
    for start in range(0, len(volume), height):
        maps = slabs.maps(start, min(start + height, len(volume)))
        for name, values in maps.items():
            assert np.array_equal(values, getattr(whole, name)[start : start + height])


def test_a_network_with_lacunae_in_slabs():
    volume = network_phantom((60, 110, 110), 0.25, 2, 12, seed=4).labels
    found = measure_streamed(lambda a, b: volume[a:b], volume.shape, 0.25, slab_height=9)
    assert found == measure(volume, 0.25)
    assert found.lacunae.count == 2
    assert found.canaliculi.junctions > 3


def test_other_values_are_translated_slab_by_slab():
    volume = np.array([0, 128, 255], np.uint8)[network_phantom((30, 60, 60), 0.5, 1, 8, seed=1).labels]
    classes = {"bone": 128, "lcn": 255}
    found = measure_streamed(lambda a, b: volume[a:b], volume.shape, 0.5, slab_height=7, classes=classes)
    assert found == measure(volume, 0.5, classes=classes)


def test_no_slab_is_larger_than_asked_for():
    volume = network_phantom((30, 60, 60), 0.5, 1, 8, seed=1).labels
    asked = []

    def read(start, stop):
        asked.append(stop - start)
        return volume[start:stop]

    measure_streamed(read, volume.shape, 0.5, slab_height=4)
    assert max(asked) == 4 + 2
    assert sum(asked) < 4 * len(volume)


@pytest.mark.parametrize(
    ("shape", "height", "message"),
    [((10, 10), 4, "three axes"), ((10, 0, 10), 4, "three axes"), ((10, 10, 10), 0, "slab_height 0"),
     ((10, 10, 11), 4, "announced"), ((20000, 1, 1), 4, "18000")],
)  # fmt: skip
def test_what_cannot_be_streamed(shape, height, message):
    with pytest.raises(BadInput, match=message):
        measure_streamed(lambda a, b: np.ones((b - a, 10, 10), np.uint8), shape, 0.1, slab_height=height)
