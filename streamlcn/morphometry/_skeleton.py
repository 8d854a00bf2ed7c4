"""Centre lines of canaliculi: thinning, graph, lengths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from streamlcn.errors import BadInput
from streamlcn.morphometry._check import checked_mask
from streamlcn.morphometry._components import label

__all__ = ["CentreLines", "centre_lines", "primary_canaliculi", "skeleton"]

_Points = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class CentreLines:
    """A network as branches between ends and junctions; lengths in voxels, points (n, 3) z, y, x."""

    paths: list[_Points]
    lengths: npt.NDArray[np.float64]
    chords: npt.NDArray[np.float64]
    end_points: npt.NDArray[np.int64]
    junctions: int

    @property
    def tortuosity(self) -> float | None:
        """Length over end-to-end distance, summed over branches at least 5 voxels from end to end."""
        long = self.chords >= 5
        return float(self.lengths[long].sum() / self.chords[long].sum()) if long.any() else None


def skeleton(mask: npt.ArrayLike, smoothing_voxels: int = 2) -> dict[str, float]:
    """Return ``length`` (voxels, smoothed), ``branches``, ``end_points``, ``junctions`` of the centre lines.

    Thinning after Lee et al. 1994 (scikit-image), graph by skan. Junction voxels that touch are one junction.
    """
    solid = checked_mask(mask)
    lines = centre_lines(solid, np.zeros(solid.shape, np.bool_), smoothing_voxels)
    return {
        "length": float(lines.lengths.sum()),
        "branches": len(lines.paths),
        "end_points": len(lines.end_points),
        "junctions": lines.junctions,
    }


def centre_lines(
    solid: npt.NDArray[np.bool_], lacunar: npt.NDArray[np.bool_], smoothing_voxels: int
) -> CentreLines:
    """Return the centre lines of ``solid`` outside ``lacunar``, both (z, y, x)."""
    from skimage.morphology import skeletonize

    thinned: Any = skeletonize
    thin: npt.NDArray[np.bool_] = thinned(solid, method="lee") > 0
    thin &= ~lacunar
    points = np.argwhere(thin)
    if len(points) < 2:
        nothing = np.zeros(0)
        return CentreLines(paths=[], lengths=nothing, chords=nothing, end_points=points[:0], junctions=0)
    return _graph(thin, smoothing_voxels)


def _graph(thin: npt.NDArray[np.bool_], smoothing_voxels: int) -> CentreLines:
    from skan import Skeleton

    graph = Skeleton(np.pad(thin, 1))
    coordinates = np.asarray(graph.coordinates, np.int64) - 1
    degrees = np.asarray(graph.degrees)
    knots, junctions = _junctions(coordinates[degrees > 2])
    paths = []
    for n in range(graph.n_paths):
        points = np.asarray(graph.path_coordinates(n), np.float64) - 1
        if len(points) == 2 and _same_knot(points, knots):
            continue  # a step inside one junction
        if len(points) > 1:
            paths.append(points)
    smooth = [_smoothed(points, smoothing_voxels) for points in paths]
    return CentreLines(
        paths=paths,
        lengths=np.array([_length(points) for points in smooth]),
        chords=np.array([float(np.linalg.norm(points[-1] - points[0])) for points in paths]),
        end_points=coordinates[degrees == 1],
        junctions=junctions,
    )


def _junctions(where: npt.NDArray[np.int64]) -> tuple[dict[tuple[int, ...], int], int]:
    """Number junction voxels so that those that touch share a number."""
    if len(where) == 0:
        return {}, 0
    low = where.min(axis=0)
    box = np.zeros(where.max(axis=0) - low + 1, np.bool_)
    box[tuple((where - low).T)] = True
    labelled, count = label(box, 26)
    return {tuple(int(i) for i in p): int(labelled[tuple(p - low)]) for p in where}, count


def _same_knot(points: _Points, knots: dict[tuple[int, ...], int]) -> bool:
    first, last = (knots.get(tuple(int(i) for i in p)) for p in points)
    return first is not None and first == last


def _smoothed(points: _Points, half_width: int) -> _Points:
    """Return the moving average of a path; odd reflection keeps its ends, a ring goes round."""
    half_width = min(half_width, len(points) - 1)
    if half_width == 0:
        return points
    if np.array_equal(points[0], points[-1]) and len(points) > 2 * half_width:
        ring = np.pad(points[:-1], ((half_width, half_width), (0, 0)), mode="wrap")
        mean = _averaged(ring, half_width)
        return np.concatenate([mean, mean[:1]])
    return _averaged(
        np.pad(points, ((half_width, half_width), (0, 0)), mode="reflect", reflect_type="odd"), half_width
    )


def _averaged(points: _Points, half_width: int) -> _Points:
    sums = np.cumsum(np.pad(points, ((1, 0), (0, 0))), axis=0)
    width = 2 * half_width + 1
    out: _Points = (sums[width:] - sums[:-width]) / width
    return out


def _length(points: _Points) -> float:
    return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())


def primary_canaliculi(
    lcn: npt.ArrayLike,
    lacunae: npt.NDArray[np.int32],
    inner_voxels: float = 5.0,
    outer_voxels: float = 6.5,
) -> list[int]:
    """Return, for lacuna labels 1, 2, ... in turn, how many canaliculi leave it.

    These are the 26-components of the LCN outside all lacunae at a distance d from the lacuna with
    ``inner_voxels`` < d <= ``outer_voxels``. Raises `BadInput` where shapes differ.
    """
    from scipy.ndimage import distance_transform_edt, find_objects

    solid, instances = checked_mask(lcn), np.asarray(lacunae)
    if instances.shape != solid.shape or instances.dtype.kind not in "ui":
        raise BadInput(
            f"lacunae are {instances.dtype} {instances.shape}; integers of {solid.shape} are needed"
        )
    margin = int(np.ceil(outer_voxels)) + 1
    out = []
    for number, box in enumerate(find_objects(instances), start=1):
        if box is None:
            out.append(0)
            continue
        around: Any = tuple(slice(max(s.start - margin, 0), s.stop + margin) for s in box)
        near = instances[around]
        distance = distance_transform_edt(near != number)
        shell = solid[around] & (near == 0) & (distance > inner_voxels) & (distance <= outer_voxels)
        out.append(label(np.ascontiguousarray(shell), 26)[1])
    return out
