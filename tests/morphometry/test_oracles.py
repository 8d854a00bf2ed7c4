"""From labels to cells against SciPy on small random volumes; thinning against scikit-image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage, sparse
from scipy.sparse.csgraph import dijkstra
from skimage.morphology import skeletonize

from streamlcn.morphometry import (
    MorphometryParameters,
    analyse,
    local_thickness,
    primary_canaliculi,
    skeleton,
)
from streamlcn.morphometry._network import network_of
from streamlcn.morphometry._thinning import thinned
from tests.morphometry import phantoms
from tests.morphometry.inputs import input_of
from tests.morphometry.network_phantom import network_phantom

CROSS = ndimage.generate_binary_structure(3, 1)
FULL = np.ones((3, 3, 3))
NO_SPLIT = MorphometryParameters(
    island_threshold_voxels=4, hole_threshold_voxels=20, lacuna_volume_um3=0.5, split_depth_voxels=100
)


def volume(seed, size=(14, 16, 15)):
    random = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(random.normal(size=size), 1.3)
    out = np.where(field > np.quantile(field, 0.7), 2, 1).astype(np.uint8)
    out[random.random(size) < 0.03] = 1
    out[:, :3] = 0
    return out


def without(mask, threshold, structure, keep_touching):
    labelled, count = ndimage.label(mask, structure)
    small = np.bincount(labelled.ravel(), minlength=count + 1) < threshold
    small[0] = False
    if keep_touching:
        shell = np.ones(mask.shape, bool)
        shell[1:-1, 1:-1, 1:-1] = False
        small[np.unique(labelled[shell])] = False
    return mask & ~small[labelled]


def cleaned(labels):
    """Return network and tissue."""
    lcn = without(labels == 2, 4, FULL, keep_touching=False)
    mended = ~without(~lcn, 20, CROSS, keep_touching=True)
    tissue = (labels != 0) | mended & ~lcn
    closed = ndimage.binary_erosion(ndimage.binary_dilation(np.pad(mended, 2), CROSS), CROSS)
    return mended | closed[2:-2, 2:-2, 2:-2] & tissue, tissue


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32))
def test_cleaning_and_porosities_are_those_of_scipy(seed):
    labels = volume(seed)
    lcn, tissue = cleaned(labels)
    found = analyse(labels, 0.3, NO_SPLIT)
    assert np.array_equal(found.lcn, lcn)
    values = found.morphometry.lcn
    assert values.porosity == lcn.sum() / tissue.sum()
    inner = ndimage.binary_erosion(lcn, CROSS, border_value=1)
    outer = ndimage.binary_dilation(lcn, CROSS) & tissue
    assert values.porosity_minus_1_voxel == inner.sum() / tissue.sum()
    assert values.porosity_plus_1_voxel == outer.sum() / tissue.sum()
    assert values.component_count == ndimage.label(lcn, FULL)[1]
    outside = np.pad(~lcn, 1, constant_values=True)  # what reaches a face is one
    assert values.cavity_count == ndimage.label(outside, CROSS)[1] - 1
    assert values.loop_count == values.component_count + values.cavity_count - values.euler
    assert values.loop_count >= 0


@settings(max_examples=12, deadline=None)
@given(st.integers(0, 2**32))
def test_lacunae_and_cells_are_those_of_scipy(seed):
    found = analyse(volume(seed), 0.3, NO_SPLIT)
    thick = without(local_thickness(found.lcn, 0.3) >= 1.0, np.ceil(0.5 / 0.3**3), FULL, keep_touching=False)
    assert np.array_equal(found.lacunae, ndimage.label(thick, FULL)[0])
    nearest = nearest_lacunae(found.lcn, found.lacunae)
    assert np.array_equal(found.cells, nearest)


def nearest_lacunae(lcn, lacunae):
    """Return the smallest number of the nearest lacunae by shortest paths in a graph of all voxels."""
    index = np.full(np.array(lcn.shape) + 2, -1)
    index[1:-1, 1:-1, 1:-1][lcn] = np.arange(lcn.sum())
    rows, columns, costs = [], [], []
    for offset in np.ndindex(3, 3, 3):
        step = np.abs(np.array(offset) - 1).sum()
        there = np.roll(index, np.array(offset) - 1, (0, 1, 2))
        both = (index >= 0) & (there >= 0)
        if step:
            rows.append(index[both])
            columns.append(there[both])
            costs.append(np.full(both.sum(), step + 2.0))
    size = int(lcn.sum())
    graph = sparse.csr_array(
        (np.concatenate(costs), (np.concatenate(rows), np.concatenate(columns))), (size, size)
    )
    numbers = lacunae[lcn]
    out, best = np.zeros(size, int), np.full(size, np.inf)
    for number in range(1, numbers.max(initial=0) + 1):
        distance = dijkstra(graph, indices=np.flatnonzero(numbers == number), min_only=True)
        distance[(numbers > 0) & (numbers != number)] = np.inf
        closer = distance < best
        out[closer], best[closer] = number, distance[closer]
    cells = np.zeros(lcn.shape, int)
    cells[lcn] = out
    return cells


@st.composite
def masks(draw):
    size = tuple(draw(st.integers(1, 20)) for _ in range(3))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    field = ndimage.gaussian_filter(random.normal(size=size), draw(st.sampled_from([0.0, 0.8, 1.5])))
    return field > np.quantile(field, draw(st.sampled_from([0.1, 0.5, 0.8])))


def assert_thinned_as_by_scikit_image(mask):
    network = network_of(mask)
    found = network.dense(thinned(network, network.places()))
    assert np.array_equal(found, skeletonize(mask, method="lee") > 0)


@settings(max_examples=40, deadline=None)
@given(masks())
def test_thinning_has_the_bits_of_scikit_image(mask):
    assert_thinned_as_by_scikit_image(mask)


def test_thinning_of_bone_and_of_a_network_has_the_bits_of_scikit_image():
    assert_thinned_as_by_scikit_image(input_of("shrew_trabecular.npz")[:60, 30:90, 20:90])
    assert_thinned_as_by_scikit_image(network_phantom((50, 90, 90), 0.25, 1, 20, seed=2).labels == 2)


def test_graphs_that_can_be_drawn_by_hand():
    ring = np.zeros((3, 12, 12), bool)
    ring[1, 2:10, 2:10] = True
    ring[1, 3:9, 3:9] = False
    found = skeleton(ring, smoothing_voxels=0)
    assert (found["branches"], found["end_points"], found["junctions"]) == (1, 0, 0)
    line = np.zeros((5, 5, 30), bool)
    line[2, 2, 4:24] = True
    assert skeleton(line) == pytest.approx({"length": 19, "branches": 1, "end_points": 2, "junctions": 0})
    cross = line.copy()
    cross[:, 2, 14] = True
    found = skeleton(cross)
    assert (found["branches"], found["end_points"], found["junctions"]) == (4, 4, 1)
    assert skeleton(np.zeros((4, 4, 4), bool))["length"] == 0
    dot = np.zeros((4, 4, 4), bool)
    dot[2, 2, 2] = True
    assert skeleton(dot)["branches"] == 0


def test_ends_at_lacunae_at_faces_and_blind():
    lcn = phantoms.ball(60, 20, 12)
    for end in ([20, 20, 59], [20, 50, 20]):  # one tube to a face, one that ends in the bone
        lcn |= phantoms.capsule(lcn.shape, [20, 20, 20], end, 2)
    found = analyse(phantoms.in_bone(lcn), 0.13).morphometry.canaliculi
    assert (found.end_points, found.end_points_at_lacunae, found.end_points_at_border) == (4, 2, 1)
    assert found.branches == 2
    lengths = (59 - 2 - 32) + (50 - 32)  # thinned ends lie a radius inside the tube
    assert found.length_um == pytest.approx(lengths * 0.13, rel=0.1)


def test_canaliculi_leaving_are_counted_in_a_shell():
    lcn = phantoms.ball(60, 30, 10)
    lacunae = lcn.astype(np.int32)
    for end in ([30, 30, 55], [30, 55, 30], [5, 30, 30], [30, 30, 44]):  # the last is one with the first
        lcn |= phantoms.capsule(lcn.shape, [30, 30, 30], end, 2)
    assert primary_canaliculi(lcn, lacunae) == [3]
    distance = ndimage.distance_transform_edt(lacunae == 0)
    shell = lcn & (distance > 5) & (distance <= 6.5)
    assert ndimage.label(shell, FULL)[1] == 3


def test_a_neck_that_almost_splits_is_told():
    def pair(apart):
        z, y, x = np.ogrid[:60, :60, :110]
        near = np.minimum(abs(x - 40), abs(x - 40 - apart))
        return phantoms.in_bone((z - 30) ** 2 + (y - 30) ** 2 + near**2 <= 225)

    one, necked, two = (analyse(pair(apart), 0.1).morphometry.lacunae.rows for apart in (2, 15, 22))
    assert [row["is_merge_suspect"] for row in one] == [False]
    assert [row["is_merge_suspect"] for row in necked] == [True]
    assert len(two) == 2
