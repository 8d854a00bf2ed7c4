"""Measures of thin networks, by hand."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch

from streamlcn.training._calibrate import calibration_error, porosity_spread
from streamlcn.training._quality import lcn_quality, surface_dice
from streamlcn.training._report import ScanEvaluation


def tube() -> npt.NDArray[np.bool_]:
    """A straight canaliculus of 3 x 3 voxels, 30 long."""
    mask = np.zeros((9, 9, 40), np.bool_)
    mask[3:6, 3:6, 5:35] = True
    return mask


def test_the_truth_itself_is_perfect() -> None:
    quality = lcn_quality(tube(), tube())
    assert quality is not None
    assert (quality.cl_dice, quality.surface_dice, quality.component_recall) == (1, 1, 1)
    assert (quality.components, quality.components_true) == (1, 1)


def test_a_break_costs_recall_and_a_component_but_no_precision() -> None:
    broken = tube()
    broken[:, :, 15:24] = False
    quality = lcn_quality(tube(), broken)
    assert quality is not None
    assert quality.skeleton_precision == 1
    assert quality.skeleton_recall == pytest.approx(21 / 30, abs=0.07)
    assert quality.components == 2
    assert quality.component_recall == 1, "70 % of it are found"


def test_an_invented_pore_costs_precision_only() -> None:
    more = tube()
    more[0, 0, 5:35] = True
    quality = lcn_quality(tube(), more)
    assert quality is not None
    assert quality.skeleton_recall == 1
    assert quality.skeleton_precision == pytest.approx(0.5, abs=0.05)


def test_a_shift_of_one_voxel_is_within_the_tolerance() -> None:
    shifted = np.roll(tube(), 1, axis=0)
    assert surface_dice(tube(), shifted, 1.0) == 1
    assert surface_dice(tube(), shifted, 0.0) < 0.7
    assert surface_dice(tube(), np.roll(tube(), 3, axis=0), 1.0) < 0.4


def test_half_a_component_counts_as_found_and_less_does_not() -> None:
    both = tube()
    both[0:3, 0:3, 0:3] = True
    less = tube()
    less[0, 0:3, 0:3] = True
    quality = lcn_quality(both, less)
    assert quality is not None
    assert quality.components_true == 2
    assert quality.component_recall == 0.5


def test_nothing_to_compare_gives_none() -> None:
    empty = np.zeros_like(tube())
    assert lcn_quality(tube(), empty) is None
    assert lcn_quality(empty, tube()) is None
    assert lcn_quality(tube()[:2], tube()[:2]) is None


def test_calibration_error_by_hand() -> None:
    likely = torch.tensor([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.4, 0.6]])
    labels = torch.tensor([0, 1, 1, 1])
    # bins: two voxels at .9, half of them right; two at .6, both right
    assert calibration_error(likely, labels) == pytest.approx((2 * 0.4 + 2 * 0.4) / 4, abs=1e-6)


def test_the_spread_is_that_of_the_farthest_volume() -> None:
    def judged(expected: float | None, true: float) -> ScanEvaluation:
        return ScanEvaluation(
            name="a",
            dice={},
            iou={},
            porosity=None,
            porosity_true=true,
            porosity_expected=expected,
            porosity_ambiguous=0.01,
            ood_score=None,
            ood_flag=False,
            seconds=0,
        )

    volumes = [judged(0.02, 0.021), judged(0.03, 0.026), judged(None, 0.5)]
    assert porosity_spread(volumes) == pytest.approx(0.4)
    assert porosity_spread([judged(None, 0.5)]) is None
