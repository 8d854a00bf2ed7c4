"""Grey ranges: what one has without a network (Otsu 1979), and the ranges of Silveira et al. 2024."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from streamlcn.errors import SegmentationFailed
from streamlcn.model import Label

__all__ = ["PAPER_EDGES", "PAPER_LABELS", "otsu_edges"]

PAPER_EDGES = (0.025, 0.425, 0.535)
"""Edges between the published ranges 0, .05-.42, .43-.53 and .54-.89, gaps closed at their middle."""
PAPER_LABELS = (Label.BACKGROUND, Label.LCN, Label.SHADE_OFF, Label.BONE)

_BINS = 128


def otsu_edges(sample: npt.NDArray[np.float32]) -> tuple[float, float]:
    """Return the two values that part ``sample`` into three classes of the least variance within.

    Exhaustive over a histogram of 128 bins between its 0.05 and 99.95 percentiles. Raises
    `SegmentationFailed` for a sample of a single value.
    """
    low, high = np.percentile(sample, [0.05, 99.95])
    if not high > low:
        raise SegmentationFailed(f"the volume has no contrast: nearly all voxels are {low:g}")
    counts, edges = np.histogram(sample, bins=_BINS, range=(float(low), float(high)))
    weight = np.concatenate([[0.0], np.cumsum(counts, dtype=np.float64)])
    moment = np.concatenate([[0.0], np.cumsum(counts * (edges[:-1] + edges[1:]) / 2)])
    # between[i, j]: share of the between-class variance that bins i to j - 1 bring as one class
    mass = weight[None, :] - weight[:, None]
    first = moment[None, :] - moment[:, None]
    between = np.divide(first**2, mass, out=np.zeros_like(first), where=mass > 0)
    total = between[0, :, None] + between + between[:, -1][None, :]
    total[~np.triu(np.ones_like(total, dtype=bool), 1)] = -np.inf
    one, other = np.unravel_index(int(total[1:-1, 1:-1].argmax()), (_BINS - 1, _BINS - 1))
    return float(edges[one + 1]), float(edges[other + 1])
