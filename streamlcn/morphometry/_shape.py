"""Size, form and direction of objects from their moments."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from streamlcn.errors import BadInput
from streamlcn.morphometry._check import checked_mask
from streamlcn.morphometry._network import Network, network_of

__all__ = ["Moments", "order_parameter", "shape", "shape_of"]

_Floats = npt.NDArray[np.float64]
_ROUND = 1e-6  # relative difference of axes below which an object has no long axis


class Moments:
    """Whole-number sums over the voxels of each label; row n belongs to label n + 1.

    ``count``; ``first`` (3: z, y, x); ``second`` (6: zz, yy, xx, zy, zx, yx); ``box``
    (3, 2: first, last + 1).
    """

    def __init__(self, network: Network, labels: npt.NDArray[Any], count: int) -> None:
        """Sum over the voxels of labels 1 to ``count``, given one a voxel of the network."""
        sums, self.box = _moments(network, labels, count)
        self.count, self.first, self.second = sums[:, 0], sums[:, 1:4], sums[:, 4:]

    @classmethod
    def of_labels(cls, labelled: npt.NDArray[Any], count: int) -> Moments:
        """Sum over the voxels of labels 1 to ``count`` of a (z, y, x) array."""
        inside = labelled > 0
        return cls(network_of(inside), labelled[inside], count)

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
        count = int(self.count[row])
        origin = self.first[row] // count  # sums about a voxel nearby: whole numbers lose nothing far away
        z, y, x = (int(o) for o in origin)
        first = [int(s) - count * o for s, o in zip(self.first[row], (z, y, x), strict=True)]
        pairs = [
            ((0, 0), z, z),
            ((1, 1), y, y),
            ((2, 2), x, x),
            ((0, 1), z, y),
            ((0, 2), z, x),
            ((1, 2), y, x),
        ]
        out = np.eye(3) / 12
        for total, ((i, j), a, b) in zip(self.second[row], pairs, strict=True):
            about = int(total) - a * (first[j] + count * b) - b * (first[i] + count * a) + count * a * b
            value = about / count - first[i] / count * (first[j] / count)
            out[i, j] += value
            if i != j:
                out[j, i] += value
        return out


@njit(cache=True)
def _moments(net: Any, labels: Any, count: int) -> Any:
    sums = np.zeros((count, 10), np.int64)
    box = np.zeros((count, 3, 2), np.int64)
    for row in range(net.depth * net.height):
        z, y = row // net.height, row % net.height
        for run in range(net.rows[row], net.rows[row + 1]):
            for m in range(net.first[run], net.first[run + 1]):
                n = np.int64(labels[m]) - 1
                if n < 0:
                    continue
                x = np.int64(net.start[run]) + m - net.first[run]
                own = sums[n]
                if own[0] == 0:
                    box[n, 0, 0], box[n, 1, 0], box[n, 2, 0] = z, y, x
                own += np.array([1, z, y, x, z * z, y * y, x * x, z * y, z * x, y * x])
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
    return shape_of(Moments.of_labels(solid.view(np.uint8), 1).covariance(0))


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
