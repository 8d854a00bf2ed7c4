"""Where the axis of rotation is: mirrored pairs first, then the sharpest of many trial reconstructions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streamlcn.errors import BadInput
from streamlcn.reconstruction._pairs import centre_from_pairs
from streamlcn.reconstruction._trials import Trials

__all__ = [
    "MIN_PROJECTIONS",
    "Centre",
    "centre_rows",
    "estimate_centre",
    "is_half_turn_covered",
    "snapped",
]

ROWS = 8
MIN_PROJECTIONS = 8
WIDE_STEPS = 33
FINE_STEPS = 25
FINE_STEP_PX = 0.25
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

    A pair of projections half a turn apart gives it within a pixel or two; without such a pair (limited
    angle) the search begins in the middle of the detector and is wide. Then the total variation of
    trial slices is least where edges are single. The standard error comes from how rows, and total
    variation and negative matter, disagree. Raises `BadInput` for fewer than 8 projections or empty ones.
    """
    count, _, columns = lines.shape
    if count < MIN_PROJECTIONS:
        raise BadInput(
            f"{count} projections are too few to find the centre of rotation: give it in pixels, "
            f"or at least {MIN_PROJECTIONS} projections"
        )
    if not float(np.ptp(lines)) > 0:
        raise BadInput("the projections are empty, nothing shows the centre of rotation: give it in pixels")
    order = np.argsort(angles_rad, kind="stable")
    lines, angles_rad = lines[order], angles_rad[order]
    trials = Trials(lines, angles_rad, threads)
    guess = centre_from_pairs(lines, angles_rad)
    if guess is None:
        step = columns / 4 / (WIDE_STEPS - 1)
        guess = trials.search((columns - 1) / 2, WIDE_STEPS, step).pixels
        while step > 2 * FINE_STEP_PX:
            step /= 4
            guess = trials.search(guess, 13, step).pixels
    found = trials.search(guess, FINE_STEPS, FINE_STEP_PX)
    return Centre(pixels=found.pixels, stderr_pixels=found.stderr_pixels)
