"""What led the centre astray: samples wider than the detector, and plates that show two sides differently."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from phantoms import BONE, Ellipse, line_integrals
from scans import dendrite, simulated_lines
from scipy import ndimage

from streamlcn.reconstruction import find_centre
from streamlcn.reconstruction._wedge import centre_from_wedge

COLUMNS, ROWS = 160, 4
WIDE = tuple(Ellipse(2 * e.x, 2 * e.y, 2 * e.a, 2 * e.b, e.value, e.tilt) for e in BONE)  # 96 pixels
TURNS = {"half turn": np.arange(240) * np.pi / 240, "full turn": np.arange(240) * np.pi / 120}


def lopsided(lines: npt.NDArray[np.float64], edges: float) -> npt.NDArray[np.float32]:
    """Return what a plate beside the axis makes of lines: a halo, and edges bright left and dark right."""
    smooth = ndimage.gaussian_filter(lines, (0, 0, 6))
    noise = np.random.default_rng(2).normal(0, 0.01 * lines.max(), lines.shape)
    return (lines - 0.9 * smooth + edges * np.gradient(smooth, axis=2) + noise).astype(np.float32)


@pytest.mark.parametrize("halo", [0.0, 0.7])
@pytest.mark.parametrize("centre", [84.13, 71.7])
@pytest.mark.parametrize("turn", TURNS)
def test_a_sample_wider_than_the_detector(turn: str, centre: float, halo: float) -> None:
    lines = line_integrals(WIDE, TURNS[turn], COLUMNS, centre, ROWS)
    lines -= halo * ndimage.gaussian_filter(lines, (0, 0, 12))
    seen = lines[..., 50:110].astype(np.float32)  # 60 columns of 96
    found = find_centre(seen, TURNS[turn])
    error = abs(found.pixels - (centre - 50))
    assert error < 0.5
    assert error <= 2 * found.stderr_pixels


@pytest.mark.parametrize("centre", [84.13, 71.7])
def test_what_a_plate_shows_on_one_side_only_moves_nothing(centre: float) -> None:
    angles = TURNS["full turn"]
    lines = lopsided(line_integrals(WIDE, angles, COLUMNS, centre, ROWS), edges=5)
    assert abs(centre_from_wedge(lines, angles)[0] - centre) > 10, "the case shows nothing any more"
    found = find_centre(lines, angles)
    assert found.pixels == pytest.approx(centre, abs=0.25)
    assert found.stderr_pixels < 0.5


@pytest.mark.parametrize("edges", [0, 5])
@pytest.mark.parametrize("centre", [84.13, 71.7])
def test_methods_that_disagree_are_no_certainty(centre: float, edges: float) -> None:
    angles = TURNS["half turn"]
    lines = lopsided(line_integrals(WIDE, angles, COLUMNS, centre, ROWS), edges)
    found = find_centre(lines, angles)
    assert abs(found.pixels - centre) <= 2.5 * found.stderr_pixels


def test_a_part_of_a_dendrite_without_enough_to_see_is_uncertain() -> None:
    scan = dendrite()
    found = find_centre(scan.projections[:, :, 300:1000], scan.angles_rad)
    assert abs(found.pixels - 329.6) <= 2 * found.stderr_pixels
    assert found.stderr_pixels > 0.5


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 1012])
def test_simulated_bones_whose_halos_fill_the_field(tmp_path: Path, seed: int) -> None:
    """On these the consistency of whole projections is 20 pixels off; cut, bones are wider than the field."""
    lines, angles, truth = simulated_lines(tmp_path, "--randomise", "--seed", str(seed))
    assert abs(centre_from_wedge(lines, angles)[0] - truth) > 10, "the case shows nothing any more"
    found = find_centre(lines, angles)
    assert found.pixels == pytest.approx(truth, abs=0.25)
    assert found.stderr_pixels < 0.5
    cut = find_centre(lines[..., 45:140], angles)
    assert cut.pixels + 45 == pytest.approx(truth, abs=0.25)
