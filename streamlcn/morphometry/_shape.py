"""Size, form and direction of objects from their moments."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from streamlcn.errors import BadInput
from streamlcn.morphometry._check import checked_mask

__all__ = ["Moments", "moments", "order_parameter", "shape", "shape_of"]

_Floats = npt.NDArray[np.float64]
_ROUND = 1e-6  # relative difference of axes below which an object has no long axis


class Moments:
    """Whole-number sums over the voxels of each label; row n belongs to label n + 1.

    ``count``; ``first`` (3: z, y, x); ``second`` (6: zz, yy, xx, zy, zx, yx); ``box``
    (3, 2: first, last + 1).
    """

    def __init__(self, labelled: npt.NDArray[Any], count: int) -> None:
        sums, self.box = _moments(labelled, count)
        self.count, self.first, self.second = sums[:, 0], sums[:, 1:4], sums[:, 4:]

    def slices(self, row: int, margin: int, shape: tuple[int, ...]) -> tuple[slice, slice, slice]:
        """Return the box of one label widened by ``margin`` inside a volume of ``shape``."""
        z, y, x = (
            slice(max(int(low) - margin, 0), min(int(high) + margin, edge))
            for (low, high), edge in zip(self.box[row], shape, strict=True)
        )
        return z, y, x

    def touches_face(self, row: int, shape: tuple[int, ...]) -> bool:
        """Return whether a label touches a face of its volume."""
        return bool((self.box[row, :, 0] == 0).any() or (self.box[row, :, 1] == np.array(shape)).any())

    def covariance(self, row: int) -> _Floats:
        """Return the covariance of coordinates in voxels², each voxel a full cube."""
        n = float(self.count[row])
        mean = self.first[row] / n
        zz, yy, xx, zy, zx, yx = self.second[row] / n
        matrix = np.array([[zz, zy, zx], [zy, yy, yx], [zx, yx, xx]])
        out: _Floats = matrix - np.outer(mean, mean) + np.eye(3) / 12
        return out


def moments(labelled: npt.NDArray[Any], count: int) -> Moments:
    """Return sums over the voxels of labels 1 to ``count`` of a (z, y, x) array."""
    return Moments(labelled, count)


@njit(cache=True)
def _moments(labelled: Any, count: int) -> Any:
    depth, height, width = labelled.shape
    sums = np.zeros((count, 10), np.int64)
    box = np.zeros((count, 3, 2), np.int64)
    for z in range(depth):
        for y in range(height):
            for x in range(width):
                n = np.int64(labelled[z, y, x]) - 1
                if n < 0:
                    continue
                if sums[n, 0] == 0:
                    box[n, 0, 0], box[n, 1, 0], box[n, 2, 0] = z, y, x
                row = sums[n]
                row[0] += 1
                row[1] += z
                row[2] += y
                row[3] += x
                row[4] += z * z
                row[5] += y * y
                row[6] += x * x
                row[7] += z * y
                row[8] += z * x
                row[9] += y * x
                box[n, 1, 0], box[n, 2, 0] = min(box[n, 1, 0], y), min(box[n, 2, 0], x)
                box[n, 0, 1] = z + 1
                box[n, 1, 1], box[n, 2, 1] = max(box[n, 1, 1], y + 1), max(box[n, 2, 1], x + 1)
    return sums, box


def shape(mask: npt.ArrayLike) -> dict[str, Any]:
    """Return the form of all voxels of ``mask`` taken as one object.

    ``semi``: three semi-axes sqrt(5 lambda) in voxels, longest first (those of the ellipsoid with the same
    second moments); ``stretch`` (s1 - s3)/s1; ``oblateness`` 2(s2 - s3)/(s1 - s3) - 1, from -1 (rod) to +1
    (disc), NaN for a sphere (Mader et al. 2013); ``axis``: unit vector (z, y, x) of the longest.
    Raises `BadInput` for an empty mask.
    """
    solid = checked_mask(mask)
    if not solid.any():
        raise BadInput("the mask is empty: nothing has a shape")
    return shape_of(moments(solid.view(np.uint8), 1).covariance(0))


def shape_of(covariance: _Floats) -> dict[str, Any]:
    """Return what `shape` returns, from a covariance in voxels²."""
    values, vectors = np.linalg.eigh(covariance)
    s3, s2, s1 = np.sqrt(np.maximum(values, 0))
    axis = vectors[:, 2]
    axis = axis * (1.0 if axis[np.flatnonzero(np.abs(axis) > 1e-9)[0]] > 0 else -1.0)  # an axis has no sign
    is_round = s1 - s3 <= _ROUND * s1
    return {
        "semi": np.sqrt(5.0) * np.array([s1, s2, s3]),
        "stretch": float((s1 - s3) / s1),
        "oblateness": float("nan") if is_round else float(2 * (s2 - s3) / (s1 - s3) - 1),
        "axis": axis,
    }


def order_parameter(vectors: npt.ArrayLike) -> float:
    """Return the alignment of (n, 3) axes: the largest eigenvalue of the mean of (3 n n' - 1)/2.

    0 for isotropic, 1 for parallel; sign and length of the vectors do not matter. Biased up for few vectors
    (n < 30). Raises `BadInput` for anything but finite vectors of positive length.
    """
    n = np.asarray(vectors, np.float64)
    if n.ndim != 2 or n.shape[1:] != (3,) or len(n) == 0:
        raise BadInput(f"vectors have shape {n.shape}, not (n, 3) with n of at least 1")
    length = np.linalg.norm(n, axis=1, keepdims=True)
    if not np.isfinite(n).all() or (length == 0).any():
        raise BadInput("vectors must be finite and longer than 0")
    n = n / length
    return float(np.linalg.eigvalsh((3 * n.T @ n / len(n) - np.eye(3)) / 2)[-1])
