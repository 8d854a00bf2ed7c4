"""Where the axis is: simulated scans with noise and Zernike artefacts, real scans, and while a scan runs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from contract import COLUMNS, COUNT, HALF_TURN, ROWS, make_frame, make_scan
from phantoms import BONE, Ellipse, counts, line_integrals
from scans import dendrite, simulated_lines, tooth
from scipy import ndimage

from streamlcn.errors import BadInput
from streamlcn.reconstruction import (
    Correction,
    ReconstructionSettings,
    find_centre,
    make_reconstructor,
    make_reference,
)
from streamlcn.reconstruction._centre import is_half_turn_covered
from streamlcn.reconstruction._wedge import centre_from_wedge
from streamlcn.reconstruction.settings import CorrectionSettings

WIDE = 160
LARGE = tuple(Ellipse(2 * e.x, 2 * e.y, 2 * e.a, 2 * e.b, e.value, e.tilt) for e in BONE)
TURNS = {"half turn": np.arange(240) * np.pi / 240, "full turn": np.arange(240) * np.pi / 120}


def spoilt(lines: npt.NDArray[np.float64], art: str) -> npt.NDArray[np.float32]:
    """Add 5 % of noise, and what a Zernike plate does: a halo, shade-off inside, bright edges."""
    out = lines.copy()
    if "zernike" in art:
        out -= 0.7 * ndimage.gaussian_filter(lines, (0, 0, 12))
        out += 0.15 * ndimage.gaussian_laplace(lines, (0, 0, 1.5))
    if "noise" in art:
        out += np.random.default_rng(2).normal(0, 0.05 * lines.max(), lines.shape)
    return out.astype(np.float32)


@pytest.mark.parametrize("art", ["clean", "noise", "zernike", "zernike and noise"])
@pytest.mark.parametrize("centre", [84.13, 71.7])
@pytest.mark.parametrize("turn", TURNS)
def test_found_within_a_quarter_pixel(turn: str, centre: float, art: str) -> None:
    lines = spoilt(line_integrals(LARGE, TURNS[turn], WIDE, centre, 8) / 8, art)
    found = find_centre(lines, TURNS[turn])
    assert found.pixels == pytest.approx(centre, abs=0.25)
    assert 0.1 <= found.stderr_pixels < 0.7


def test_less_than_half_a_turn_gives_a_centre_and_says_how_unsure() -> None:
    angles = np.arange(240) * 0.8 * np.pi / 240
    assert not is_half_turn_covered(angles)
    found = find_centre(line_integrals(LARGE, angles, WIDE, 84.13, 4).astype(np.float32), angles)
    assert abs(found.pixels - 84.13) < 2 * found.stderr_pixels
    assert found.stderr_pixels >= 1


def test_order_and_turns_do_not_matter() -> None:
    lines = line_integrals(LARGE, TURNS["half turn"], WIDE, 84.13, 2).astype(np.float32)
    order = np.random.default_rng(3).permutation(240)
    turned = TURNS["half turn"] + 46 * 2 * np.pi
    plain = centre_from_wedge(lines, TURNS["half turn"])[0]
    assert centre_from_wedge(lines[order], turned[order])[0] == pytest.approx(plain, abs=0.01)


def test_the_centre_of_a_tooth() -> None:
    scan = tooth()
    correction = Correction(CorrectionSettings(median_radius_px=0), make_reference(scan.flats, scan.darks))
    lines = np.stack([correction.line_integrals(frame) for frame in scan.projections])
    found = find_centre(lines, scan.angles_rad)
    assert found.pixels == pytest.approx(295.85, abs=0.25)
    raw = find_centre(scan.projections, scan.angles_rad)
    assert abs(raw.pixels - 295.85) < 2 * raw.stderr_pixels


def test_the_centre_of_a_truncated_dendrite() -> None:
    """Rings, and a sample wider than the detector: half a pixel off, where whole samples are within 0.1."""
    scan = dendrite()
    found = find_centre(scan.projections, scan.angles_rad)
    assert found.pixels == pytest.approx(629.6, abs=0.75)


@pytest.mark.parametrize(
    ("lines", "says"), [(np.ones((20, 1, 9), np.float32), "are empty"), (np.eye(7)[:, None], "too few")]
)
def test_what_shows_no_centre_is_refused(lines: npt.NDArray[np.float32], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        find_centre(-lines, np.arange(len(lines)) * 0.1)


AUTO = ReconstructionSettings.model_validate(
    {"method": {"backend": "fbp", "device": "cpu"}, "correction": {"median_radius_px": 0}}
)
INTERLACED = np.concatenate([HALF_TURN[first::4] for first in range(4)])


def test_an_interlaced_scan_finds_its_centre_on_the_way() -> None:
    projections, flats, darks = counts(line_integrals(BONE, INTERLACED, COLUMNS, 42.6, ROWS))
    with make_reconstructor(AUTO).start(make_scan(COUNT, None), make_reference(flats, darks)) as session:
        assert session.centre == ((COLUMNS - 1) / 2, None, "provisional")
        for i in range(COUNT * 2 // 3):
            session.add(make_frame(i, float(INTERLACED[i]), projections[i]))
        pixels, stderr, state = session.centre
        assert pixels == pytest.approx(42.6, abs=0.25)
        assert stderr is not None
        assert state == "provisional"


def test_a_scan_begins_where_the_one_before_ended() -> None:
    projections, flats, darks = counts(line_integrals(BONE, HALF_TURN, COLUMNS, 42.6, ROWS))
    provider = make_reconstructor(AUTO)
    volumes = []
    for _ in range(2):
        with provider.start(make_scan(COUNT, None), make_reference(flats, darks)) as session:
            provisional = session.centre[0]
            for i in range(COUNT):
                session.add(make_frame(i, float(HALF_TURN[i]), projections[i]))
            volumes.append(np.concatenate([slab.voxels for slab in session.finish()]))
            final = session.centre[0]
    assert provisional == final == pytest.approx(42.6, abs=0.25)
    assert np.array_equal(*volumes)


@pytest.mark.slow
@pytest.mark.parametrize("instrument", ["anatomix", "p05"])
@pytest.mark.parametrize("seed", [0, 3])
def test_the_centre_of_simulated_zernike_scans(tmp_path: Path, instrument: str, seed: int) -> None:
    """Halo, shade-off, noise, drift and vibration of the simulated microscopes; the truth is theirs."""
    options = ("--instrument", instrument, "--size", "small", "--seed", str(seed))
    lines, angles, truth = simulated_lines(tmp_path, *options)
    found = find_centre(lines, angles)
    assert found.pixels == pytest.approx(truth, abs=0.25)
    assert found.stderr_pixels < 0.45
