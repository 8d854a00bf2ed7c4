"""What must hold for any mask: equality with brute force, symmetry, additivity, slabs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamlcn.morphometry import (
    analyse,
    components,
    components_streamed,
    euler,
    local_thickness,
    local_thickness_streamed,
)
from streamlcn.morphometry._configurations import configuration_histogram, euler_of
from streamlcn.morphometry._distance import DistanceTally
from streamlcn.morphometry._network import network_of
from tests.morphometry import phantoms


@st.composite
def masks(draw):
    size = tuple(draw(st.integers(1, 9)) for _ in range(3))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    mask = random.random(size) < draw(st.sampled_from([0.1, 0.5, 0.8, 0.97]))
    mask[tuple(random.integers(size))] = False
    return mask


def brute_force(mask):
    inside, outside = np.argwhere(mask), np.argwhere(~mask)
    out = np.zeros(mask.shape, np.int64)
    if len(inside) == 0:
        return out
    squared = ((inside[:, None] - outside[None]) ** 2).sum(-1).min(1)
    apart = ((inside[:, None] - inside[None]) ** 2).sum(-1)
    out[mask] = np.where(apart < squared[None], squared[None], 0).max(1)
    return out


@settings(max_examples=60, deadline=None)
@given(masks())
def test_thickness_is_brute_force_in_every_pose(mask):
    expected = (2 * np.sqrt(brute_force(mask))).astype(np.float32)
    assert np.array_equal(local_thickness(mask, 1.0), expected)
    turned = local_thickness(mask.transpose(2, 0, 1)[::-1], 1.0)
    assert np.array_equal(turned, expected.transpose(2, 0, 1)[::-1])


@settings(max_examples=40, deadline=None)
@given(masks(), st.integers(1, 9))
def test_slabs_change_neither_components_nor_topology(mask, height):
    assert np.array_equal(components(mask, 26), components_streamed(mask, height))
    counts = np.zeros(256, np.int64)
    depth = len(mask)
    for z in range(0, depth, height):
        slab = mask[max(z - 1, 0) : z + height]
        counts += configuration_histogram(slab, opens=z == 0, closes=z + height >= depth)
    assert euler_of(counts, 26) == euler(mask, 26)
    assert np.array_equal(counts, configuration_histogram(mask))


@settings(max_examples=40, deadline=None)
@given(masks(), st.integers(1, 9))
def test_distance_to_the_nearest_pore_is_brute_force(mask, height):
    target, where = np.argwhere(mask), np.argwhere(~mask)
    tally = DistanceTally(network_of(mask))
    for z in range(0, len(mask), height):
        tally.add(z, ~mask[z : z + height])
    found = tally.counts
    if len(target) == 0:
        assert found.size == 0
        return
    expected = ((where[:, None] - target[None]) ** 2).sum(-1).min(1)
    assert np.array_equal(found, np.bincount(expected)[: len(found)])
    assert found.sum() == len(where)


def network():
    lcn = phantoms.ball(60, 20, 12)
    lcn |= phantoms.capsule(lcn.shape, [20, 20, 20], [50, 50, 50], 2)
    lcn |= ((phantoms.grid(lcn.shape) - [46, 46, 46]) ** 2).sum(-1) <= 100
    return phantoms.in_bone(lcn)


def test_cells_and_orphans_add_up_to_the_network():
    analysis = analyse(network(), 0.13)
    assert analysis.morphometry.lacunae.count == 2
    assert np.array_equal(analysis.cells > 0, analysis.lcn)
    inside = analysis.lacunae > 0
    assert np.array_equal(analysis.cells[inside], analysis.lacunae[inside])
    total = sum(row["cell_volume_um3"] for row in analysis.morphometry.lacunae.rows)
    assert total == pytest.approx(analysis.morphometry.lcn.volume_um3)
    assert [row["canaliculi"] for row in analysis.morphometry.lacunae.rows] == [1, 1]


def test_thickness_scales_with_the_voxel():
    lcn = network() == 2
    assert np.allclose(local_thickness(lcn, 0.2), 2 * local_thickness(lcn, 0.1))


@settings(max_examples=60, deadline=None)
@given(masks(), st.integers(1, 9))
def test_thickness_has_the_same_bits_slab_by_slab(mask, height):
    slabs = list(local_thickness_streamed(lambda a, b: mask[a:b], len(mask), 0.1, height))
    assert np.array_equal(np.concatenate(slabs), local_thickness(mask, 0.1))


def test_thickness_of_a_large_ball_has_the_same_bits_in_thin_slabs():
    mask = phantoms.ball(40, 20, 15)
    slabs = list(local_thickness_streamed(lambda a, b: mask[a:b], 40, 0.1, 3))
    assert np.array_equal(np.concatenate(slabs), local_thickness(mask, 0.1))
