"""Merged angles: approximate within bounds, and a function of the set of projections as the direct volume."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pytest
from contract import ReconstructionContract
from hypothesis import given, settings
from hypothesis import strategies as st
from phantoms import BONE, image, line_integrals

from streamlcn.model import Frame, FrameKind, Reference, Scan
from streamlcn.reconstruction import ReconstructionSettings, make_reconstructor
from streamlcn.reconstruction._merged import MOST_ANGLES, MOST_SPREAD_RAD, merged_groups

COLUMNS, ROWS, COUNT, CENTRE = 96, 3, 720, 49.37
ANGLES = np.arange(COUNT) * np.pi / COUNT
LINES = line_integrals(BONE, ANGLES, COLUMNS, CENTRE, ROWS).astype(np.float32)
RADIUS = np.hypot(*(np.mgrid[:COLUMNS, :COLUMNS] - (COLUMNS - 1) / 2))
INSIDE = RADIUS < 0.98 * COLUMNS / 2
NOTHING = Reference(dark=np.zeros((1, 1), np.float32), flat=np.ones((1, 1), np.float32))


class TestFbpMerged(ReconstructionContract):
    method: ClassVar[dict[str, object]] = {"backend": "fbp", "mode": "merged", "threads": 2}


def stream(
    order: list[int], mode: str = "merged", batch: int = 24, threads: int = 2, shown: tuple[int, ...] = ()
) -> npt.NDArray[np.float32]:
    """Return the volume of projections that come in this order, looked at after some of them."""
    rules = ReconstructionSettings.model_validate(
        {
            "method": {"backend": "fbp", "mode": mode, "batch": batch, "threads": threads, "device": "cpu"},
            "centre": {"value": CENTRE},
            "correction": {"median_radius_px": 0},
        }
    )
    scan = Scan(
        uid="s",
        projection_count=COUNT,
        detector_shape=(ROWS, COLUMNS),
        voxel_size_um=1.0,
        is_line_integral=True,
    )
    with make_reconstructor(rules).start(scan, NOTHING) as session:
        for count, i in enumerate(order):
            angle = float(ANGLES[i])
            session.add(Frame(kind=FrameKind.PROJECTION, index=i, angle_rad=angle, pixels=LINES[i]))
            if count in shown:
                session.preview(1)
        return np.concatenate([slab.voxels for slab in session.finish()])


def test_error_against_the_direct_volume_and_the_phantom_is_bounded() -> None:
    order = list(range(COUNT))
    merged, direct = stream(order), stream(order, "direct")
    truth = image(BONE, COLUMNS)
    for row in range(ROWS):
        difference = (merged - direct)[row][INSIDE]
        largest = np.abs(direct[row][INSIDE]).max()
        assert 1e-4 * largest < np.abs(difference).max() < 0.08 * largest
        assert np.sqrt(np.mean(difference**2)) < 0.008 * largest
        rms = [np.sqrt(np.mean((v[row] - (row + 1) * truth)[INSIDE] ** 2)) for v in (merged, direct)]
        assert rms[0] < 1.1 * rms[1]
        assert merged[row][INSIDE].mean() == pytest.approx(direct[row][INSIDE].mean(), rel=1e-3)


@pytest.mark.parametrize(
    "order",
    [list(range(COUNT))[::-1], [int(i) for i in np.random.default_rng(2).permutation(COUNT)]],
    ids=["backward", "shuffled"],
)
def test_order_batches_threads_and_previews_do_not_show_in_the_bits(order: list[int]) -> None:
    expected = stream(list(range(COUNT)))
    assert np.array_equal(stream(order, batch=7, threads=1, shown=(3, 50, 400)), expected)


def test_lost_projections_do_not_shift_the_groups_of_a_stream_and_of_a_file() -> None:
    left = [i for i in range(COUNT) if i not in (0, 31, 32, 77)]
    assert np.array_equal(stream(left, batch=1, shown=(20, 21, 22)), stream(left, batch=64))


def test_a_result_says_that_it_is_approximate() -> None:
    rules = ReconstructionSettings.model_validate({"method": {"backend": "fbp", "mode": "merged"}})
    provider = make_reconstructor(rules)
    assert "approximate" in provider.description  # type: ignore[attr-defined]
    scan = Scan(uid="s", projection_count=3, detector_shape=(2, 9), voxel_size_um=1.0, is_line_integral=True)
    with provider.start(scan, NOTHING) as session:
        assert session.description == "fbp with merged angles (approximate) on cpu"  # type: ignore[attr-defined]


@given(st.lists(st.floats(-7, 7), max_size=60), st.floats(0.001, 0.1))
@settings(deadline=None)
def test_groups_are_neighbours_in_angle_and_a_prefix_has_the_groups_of_the_whole(
    jumps: list[float], step: float
) -> None:
    angles = list(np.cumsum([step if jump < 3 else jump for jump in jumps]))
    ends = merged_groups(angles)
    for first, end in zip([0, *ends], ends, strict=False):
        assert 1 <= end - first <= MOST_ANGLES
        assert max(angles[first:end]) - min(angles[first:end]) <= MOST_SPREAD_RAD
    assert ([0, *ends])[-1] == len(angles)
    for cut in range(len(angles)):
        closed = merged_groups(angles[:cut])[:-1]  # the last one may still grow
        assert closed == ends[: len(closed)]
