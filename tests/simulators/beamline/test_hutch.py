"""What a camera sees is where the stages are when it looks."""

from __future__ import annotations

import numpy as np
import pytest

from simulators.hutch import SAMPLE_OUT_MM, Hutch
from simulators.stored import StoredFrames


@pytest.fixture
def hutch():
    """Three projections (10, 11, 12), two flats (20, 21), one dark (30); time stands still."""
    numbers = {"projection": 10, "flat": 20, "dark": 30}
    frames = StoredFrames(
        lambda role, number: np.full((2, 3), numbers[role] + number, np.uint16),
        counts={"projection": 3, "flat": 2, "dark": 1},
        angles_rad=np.deg2rad([0.0, 60.0, 120.0]).tolist(),
        shape=(2, 3),
    )
    return Hutch(frames, period_s=0.5, clock=lambda: 100.0)


def seen(hutch):
    return int(hutch.expose().pixels[0, 0])


def test_shutter_and_sample_decide_what_is_seen(hutch):
    assert seen(hutch) == 30
    hutch.is_shutter_open = True
    hutch.rotation_deg = 120.0
    assert seen(hutch) == 12
    hutch.sample_x_mm = -SAMPLE_OUT_MM
    assert [seen(hutch), seen(hutch)] == [20, 21]
    hutch.sample_x_mm = 0.1
    hutch.rotation_deg = 60.0
    assert seen(hutch) == 11
    assert hutch.exposures == 5


def test_a_failure_is_kept_for_whoever_reports_it(hutch):
    hutch.is_shutter_open = True
    hutch.rotation_deg = 61.0
    with pytest.raises(ValueError, match="no projection at 61"):
        hutch.expose()
    assert "61" in str(hutch.failure)
    hutch.begin_scan()
    assert hutch.failure is None
    assert hutch.exposures == 0


def test_frames_are_spaced_by_the_period(hutch):
    assert [hutch.wait_s() for _ in range(3)] == [0.0, 0.5, 1.0]
    hutch.begin_scan()
    assert hutch.wait_s() == 0.0


def test_a_frame_that_the_stage_triggers_bears_the_stage_s_time(hutch):
    hutch.is_shutter_open = True
    hutch.turned_at_s = 5e9
    assert hutch.expose().time_s == 5e9
    assert hutch.expose().time_s < 5e9


def test_the_encoder_reads_the_stage(hutch):
    hutch.rotation_deg = 33.3
    assert hutch.read_encoder().pixels == 33.3
    assert hutch.exposures == 0
