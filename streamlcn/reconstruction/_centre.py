"""Where the axis of rotation is, and how sure that is."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streamlcn.errors import BadInput
from streamlcn.reconstruction._trials import Found, Trials
from streamlcn.reconstruction._wedge import centre_from_wedge

__all__ = [
    "MIN_PROJECTIONS",
    "Centre",
    "centre_rows",
    "centre_without_flat",
    "estimate_centre",
    "is_half_turn_covered",
    "quick_centre",
    "snapped",
]

ROWS = 8
MIN_PROJECTIONS = 8
WIDE_STEPS = 33
FINE_STEPS = 21
TRIAL_ROWS = 4
FINE_STEP_PX = 0.25
SAME_PX = 1.0
LIMITED_ANGLE_ERROR_PX = 1.0
SYSTEMATIC_ERROR_PX = 0.1
UNCHECKED_ERROR_PX = 0.45
ROWS_AGREE_PX = 0.3
UNKNOWN_FLAT_ERROR_PX = 1.0
MAX_GAP_RAD = 0.2
"""Of a half turn; more than this unseen and a shifted centre looks like a shifted sample."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Centre:
    """Axis of rotation in ``pixels`` (0.0 at the centre of column 0) and its standard error."""

    pixels: float
    stderr_pixels: float


def centre_rows(row_count: int) -> npt.NDArray[np.int64]:
    """Return the detector rows that vote on the centre: up to eight, evenly spread."""
    votes = min(ROWS, row_count)
    return ((np.arange(votes) + 0.5) * row_count / votes).astype(np.int64)


def is_half_turn_covered(angles_rad: npt.NDArray[np.float64]) -> bool:
    """Return whether angles spread over the half turn without a gap that would bias the centre."""
    folded = np.sort(np.mod(angles_rad, np.pi))
    return bool(np.diff(folded, append=folded[0] + np.pi).max() <= MAX_GAP_RAD)


def snapped(pixels: float, tolerance_px: float) -> float:
    """Round to a multiple of ``tolerance_px``, so that a whisker of difference changes nothing."""
    return round(round(pixels / tolerance_px) * tolerance_px, 6)


def estimate_centre(
    lines: npt.NDArray[np.float32], angles_rad: npt.NDArray[np.float64], threads: int = 1
) -> Centre:
    """Estimate the centre from line integrals (index, row, column) of a few detector rows.

    Methods that share nothing but the data. The consistency of the projections (`centre_from_wedge`)
    finds an axis anywhere, from all they show and from their fine structure. The sharpness of trial slices
    (`Trials`) about either decides, unless noise hides it, which shows in rows that disagree. Where the fine
    structure agrees with it to a pixel, the mean of both is taken, since they err differently; the standard
    error is at least what they differ by. Over less than half a turn (limited angle) only trial slices work:
    they begin in the middle of the detector and are less sure. Raises `BadInput` for fewer than 8 projections
    or empty ones.
    """
    _require_content(lines)
    order = np.argsort(angles_rad, kind="stable")
    lines, angles_rad = lines[order], angles_rad[order]
    if not is_half_turn_covered(angles_rad):
        return _limited_angle_centre(lines, angles_rad, threads)
    whole, fine = _wedges(lines, angles_rad)
    apart = abs(whole.pixels - fine.pixels)
    trials = Trials(lines[:, :: max(1, lines.shape[1] // TRIAL_ROWS)], angles_rad, threads)
    guesses = [whole.pixels, fine.pixels] if apart > SAME_PX else [fine.pixels]
    sharp = [found for guess in guesses if (found := _sharpest(trials, guess)) is not None]
    if sharp:
        best = max(sharp, key=lambda found: found.depth)
        apart = abs(best.pixels - fine.pixels)
        pixels = (best.pixels + fine.pixels) / 2 if apart <= SAME_PX else best.pixels
        return Centre(pixels=pixels, stderr_pixels=max(best.stderr_pixels, SYSTEMATIC_ERROR_PX, apart))
    surer = min(whole, fine, key=lambda guess: guess.stderr_pixels)
    return Centre(pixels=surer.pixels, stderr_pixels=max(surer.stderr_pixels, UNCHECKED_ERROR_PX, apart))


def _wedges(lines: npt.NDArray[np.float32], angles_rad: npt.NDArray[np.float64]) -> tuple[Centre, Centre]:
    """Return the centres by all that projections show, and by their fine structure."""
    found = [centre_from_wedge(lines, angles_rad, is_fine=is_fine) for is_fine in (False, True)]
    known = [error if math.isfinite(error) else LIMITED_ANGLE_ERROR_PX for _, error in found]
    whole, fine = (Centre(pixels=p, stderr_pixels=e) for (p, _), e in zip(found, known, strict=True))
    return whole, fine


def _sharpest(trials: Trials, guess: float) -> Found | None:
    """Return the sharpest slice about ``guess``, None when there is none or rows disagree."""
    found = trials.search(guess, FINE_STEPS, FINE_STEP_PX, walks=1)
    is_inside = abs(found.pixels - guess) < (FINE_STEPS // 2 - 1) * FINE_STEP_PX
    return found if is_inside and found.stderr_pixels <= ROWS_AGREE_PX else None


def centre_without_flat(
    lines: npt.NDArray[np.float32], angles_rad: npt.NDArray[np.float64], threads: int = 1
) -> Centre:
    """Estimate the centre from (index, row, column) where an unknown flat field is added to every projection.

    Each column's least value stands in for the flat: right where a column sees air at some angle, and
    smooth elsewhere. That can cost a pixel, which the standard error says.
    """
    found = estimate_centre(lines - lines.min(axis=0), angles_rad, threads)
    return Centre(pixels=found.pixels, stderr_pixels=max(found.stderr_pixels, UNKNOWN_FLAT_ERROR_PX))


def quick_centre(lines: npt.NDArray[np.float32], angles_rad: npt.NDArray[np.float64]) -> Centre | None:
    """Return a first estimate at a hundredth of the cost, None when there is nothing to see yet."""
    if not is_half_turn_covered(angles_rad) or not float(np.ptp(lines)) > 0:
        return None
    return min(_wedges(lines, angles_rad), key=lambda guess: guess.stderr_pixels)


def _limited_angle_centre(
    lines: npt.NDArray[np.float32], angles_rad: npt.NDArray[np.float64], threads: int
) -> Centre:
    trials = Trials(lines, angles_rad, threads, "entropy")
    columns = lines.shape[2]
    step = columns / 4 / (WIDE_STEPS - 1)
    guess = trials.search((columns - 1) / 2, WIDE_STEPS, step).pixels
    while step > 2 * FINE_STEP_PX:
        step /= 4
        guess = trials.search(guess, 13, step).pixels
    found = trials.search(guess, FINE_STEPS, FINE_STEP_PX)
    return Centre(pixels=found.pixels, stderr_pixels=max(found.stderr_pixels, LIMITED_ANGLE_ERROR_PX))


def _require_content(lines: npt.NDArray[np.float32]) -> None:
    if len(lines) < MIN_PROJECTIONS:
        raise BadInput(
            f"{len(lines)} projections are too few to find the centre of rotation: give it in pixels, "
            f"or at least {MIN_PROJECTIONS} projections"
        )
    if not float(np.ptp(lines)) > 0:
        raise BadInput("the projections are empty, nothing shows the centre of rotation: give it in pixels")
