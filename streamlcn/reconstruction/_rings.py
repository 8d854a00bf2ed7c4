"""Stripes that all projections share, which become rings."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

__all__ = ["stripe_of"]


def stripe_of(mean_lines: npt.NDArray[np.float64], width_px: int) -> npt.NDArray[np.float32]:
    """Return what is sharp across columns in the mean projection (row, column).

    The mean over all angles minus its running median over ``width_px`` columns: a sample's mean is smooth,
    a bad column's is not.
    """
    smooth = ndimage.median_filter(mean_lines, size=(1, width_px | 1), mode="nearest")
    return (mean_lines - smooth).astype(np.float32)
