"""A real, segmented bone against numbers of Fiji's Java and an independent level-set computation."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streamlcn.morphometry import components, components_streamed, euler, local_thickness

DATA = Path(__file__).parents[1] / "data" / "morphometry"


@pytest.fixture(scope="module")
def shrew():
    with np.load(DATA / "shrew_trabecular.npz") as file:
        return file["volume"]


def test_thickness_of_a_shrew(shrew):
    thickness = local_thickness(shrew, 1.0)
    assert thickness.max() == pytest.approx(32.0, abs=0.001)
    assert thickness[shrew].mean(dtype=float) == pytest.approx(14.89994, abs=0.0001)


def test_components_and_topology_do_not_depend_on_how_they_are_found(shrew):
    whole = components(shrew, 26)
    assert whole.sum() == shrew.sum()
    assert np.array_equal(whole, components_streamed(shrew, 7))
    assert euler(shrew, 26) == euler(shrew[::-1].transpose(1, 2, 0), 26)
