"""Orders in which the angles of half a turn are visited."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Angles = npt.NDArray[np.float64]

_PASSES = 8


def linear_angles(count: int) -> Angles:
    """Return ``count`` angles evenly over half a turn, its end left out; float64, radians."""
    return np.arange(count, dtype=np.float64) * np.pi / count


def golden_angles(count: int) -> Angles:
    """Return angles a golden section of half a turn apart: any stretch of them covers the half turn evenly.

    T. Kohler, A projection access scheme for iterative reconstruction based on the golden section,
    IEEE NSS Conf. Rec. (2004), doi 10.1109/NSSMIC.2004.1466745.
    """
    return (np.arange(count) * (np.sqrt(5) - 1) / 2) % 1.0 * np.pi


def interlaced_angles(count: int) -> Angles:
    """Return the linear angles in eight passes over the half turn, each pass between the earlier ones.

    The passes start in bit-reversed order (0, 4, 2, 6, 1, ...), so that every further pass halves the widest
    gap as early as it can. For a ``count`` that eight does not divide, the first passes take one angle more.
    """
    starts = sorted(range(_PASSES), key=lambda number: int(f"{number:03b}"[::-1], 2))
    return linear_angles(count)[np.concatenate([np.arange(start, count, _PASSES) for start in starts])]


ORDERS: dict[str, Callable[[int], Angles]] = {
    "linear": linear_angles,
    "golden": golden_angles,
    "interlaced": interlaced_angles,
}
