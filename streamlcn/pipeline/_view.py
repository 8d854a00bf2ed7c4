"""What the detector saw of a slice: beyond that circle a volume holds no data, and nothing may be counted."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from streamlcn.model import Label

__all__ = ["blank_outside"]


def blank_outside(labels: npt.NDArray[np.uint8]) -> None:
    """Set labels (z, y, x) outside the inscribed circle of their slices to background, in place.

    A network has to say something there too; what it says would count as bone.
    """
    labels[:, _outside(labels.shape[1], labels.shape[2])] = Label.BACKGROUND


@lru_cache(maxsize=4)
def _outside(rows: int, columns: int) -> npt.NDArray[np.bool_]:
    y = np.arange(rows) - (rows - 1) / 2
    x = np.arange(columns) - (columns - 1) / 2
    outside: npt.NDArray[np.bool_] = y[:, None] ** 2 + x**2 > (columns / 2) ** 2
    return outside
