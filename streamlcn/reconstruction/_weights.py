"""How much of the half turn each projection stands for."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["relative_weights"]

SAME_ANGLE_RAD = 1e-5
MAX_GAP = 3.0
JITTER = 0.03


def relative_weights(angles_rad: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the quadrature weight of each angle, in units of the commonest weight.

    The half-gap (trapezoid) rule on the circle of length pi, because a parallel projection and its mirror
    image from behind are the same: multiply by pi / sum(weights) to integrate over the half turn. Angles
    that coincide there share the weight of one, so both measured ends of 180 degrees get half each and a
    full turn counts once. A gap of more than three usual ones is a range that was never measured (limited
    angle) and is cut to the usual one; weights within 3 % of 1 are encoder jitter and become exactly 1.
    """
    folded = np.mod(angles_rad, np.pi)
    folded[folded > np.pi - SAME_ANGLE_RAD / 2] = 0.0
    order = np.argsort(folded, kind="stable")
    steps = np.diff(folded[order])
    group = np.concatenate([[0], np.cumsum(steps > SAME_ANGLE_RAD)])
    firsts = folded[order][np.searchsorted(group, np.arange(group[-1] + 1))]
    counts = np.bincount(group)
    if len(firsts) == 1:
        return np.ones(len(angles_rad))
    gaps = np.diff(firsts, append=firsts[0] + np.pi)  # gap i lies between angle i and the next
    usual = float(np.median(gaps))
    gaps[gaps > MAX_GAP * usual] = usual
    shares = (gaps + np.roll(gaps, 1)) / 2 / counts
    weights = np.empty(len(angles_rad))
    weights[order] = shares[group]
    weights /= np.median(weights)
    weights[np.abs(weights - 1) < JITTER] = 1.0
    return weights
