"""Orders of angles cover the half turn, each in its way."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulators.angles import ORDERS, golden_angles, interlaced_angles, linear_angles


@given(st.sampled_from(sorted(ORDERS)), st.integers(1, 400))
def test_angles_are_in_the_half_turn_and_different(order, count):
    angles = ORDERS[order](count)
    assert angles.dtype == np.float64
    assert angles.shape == (count,)
    assert angles.min() >= 0
    assert angles.max() < np.pi
    assert len(np.unique(angles)) == count


@given(st.integers(1, 400))
def test_interlaced_angles_are_the_linear_ones(count):
    np.testing.assert_array_equal(np.sort(interlaced_angles(count)), linear_angles(count))


def test_passes_are_interlaced_and_turn_one_way():
    passes = np.rad2deg(interlaced_angles(32)).reshape(8, 4)
    np.testing.assert_allclose(passes[:, 0] / 5.625, [0, 4, 2, 6, 1, 5, 3, 7])
    np.testing.assert_allclose(np.diff(passes, axis=1), 45.0)


@pytest.mark.parametrize("count", [2, 3, 5, 8, 13, 21, 100])
def test_any_prefix_of_golden_angles_has_gaps_of_at_most_three_lengths(count):
    gaps = np.diff(np.sort(golden_angles(count)))  # the three-distance theorem
    assert len(np.unique(gaps.round(9))) <= 3
    assert gaps.max() < 2.7 * np.pi / count


def test_linear_angles_leave_the_end_out():
    np.testing.assert_allclose(np.rad2deg(linear_angles(4)), [0, 45, 90, 135])
