"""A bone shaft with lacunae and canaliculi whose truth is known, (z, y, x)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["NetworkPhantom", "network_phantom"]

_STEP = 4.0  # voxels a walk advances at a time
_Vector = npt.NDArray[np.float64]


@dataclass(frozen=True)
class NetworkPhantom:
    """Labels (uint8: 0 outside, 1 bone, 2 LCN) and truth: lacuna of each voxel (int32), canaliculi (bool)."""

    labels: npt.NDArray[np.uint8]
    lacunae: npt.NDArray[np.int32]
    canaliculi: npt.NDArray[np.bool_]


@dataclass
class _Lacuna:
    centre: _Vector
    semi: _Vector  # falling
    turn: npt.NDArray[np.float64]  # rows: directions of the semi-axes


def network_phantom(
    shape: tuple[int, int, int], voxel_um: float, lacunae: int, canaliculi: int, seed: int
) -> NetworkPhantom:
    """Draw ellipsoidal lacunae of 3.6, 2.1 and 1.55 um and ``canaliculi`` wandering tubes from each.

    The shaft is a cylinder along z of 0.45 times the smaller edge. Even walks aim at a neighbouring lacuna.
    """
    random = np.random.default_rng(seed)
    axis = (np.array(shape[1:]) - 1) / 2
    radius = 0.45 * min(shape[1:])
    found = _place(random, shape, voxel_um, lacunae, axis, radius)
    instances = np.zeros(shape, np.int32)
    for number, lacuna in enumerate(found, start=1):
        _stamp_ellipsoid(instances, lacuna, number)
    tubes = np.zeros(shape, np.bool_)
    for n in range(len(found)):
        for walk in range(canaliculi):
            _walk(random, tubes, found, n, aimed=walk % 2 == 0, axis=axis, limit=radius - 3)
    tubes &= instances == 0
    y, x = np.ogrid[: shape[1], : shape[2]]
    inside = (y - axis[0]) ** 2 + (x - axis[1]) ** 2 <= radius**2
    labels = np.broadcast_to(inside, shape).astype(np.uint8)
    labels[tubes | (instances > 0)] = 2
    return NetworkPhantom(labels, instances, tubes)


def _place(
    random: np.random.Generator,
    shape: tuple[int, int, int],
    voxel: float,
    count: int,
    axis: _Vector,
    r: float,
) -> list[_Lacuna]:
    found: list[_Lacuna] = []
    for _ in range(100000):
        if len(found) == count:
            return found
        semi = np.sort(np.array([3.6, 2.1, 1.55]) / voxel * random.uniform(0.85, 1.15, 3))[::-1]
        off = random.uniform(-r, r, 2)
        centre = np.array([random.uniform(0, shape[0] - 1), *(axis + off)])
        if np.hypot(*off) > r - semi[1] - 6:
            continue
        if any(np.linalg.norm(centre - o.centre) < 1.0125 * (semi[0] + o.semi[0]) for o in found):
            continue
        turn = np.linalg.qr(np.eye(3) + random.normal(0, 0.25, (3, 3)))[0]
        found.append(_Lacuna(centre, semi, turn))
    raise ValueError(f"only {len(found)} of {count} lacunae fit into {shape} voxels of {voxel} um")


def _stamp_ellipsoid(instances: npt.NDArray[np.int32], lacuna: _Lacuna, number: int) -> None:
    box, points = _box(instances.shape, lacuna.centre, lacuna.centre, lacuna.semi[0])
    along = (points - lacuna.centre) @ lacuna.turn.T / lacuna.semi
    instances[box][(along**2).sum(-1) <= 1] = number


def _walk(
    random: np.random.Generator,
    tubes: npt.NDArray[np.bool_],
    found: list[_Lacuna],
    n: int,
    *,
    aimed: bool,
    axis: _Vector,
    limit: float,
) -> None:
    start, radius = found[n], random.uniform(1.1, 2.4)
    direction = _unit(random.normal(size=3))
    point = start.centre + 0.97 * direction / np.linalg.norm(start.turn @ direction / start.semi)
    steps, target = int(random.uniform(60, 260) / _STEP), None
    if aimed and len(found) > 1:
        others = sorted(
            (o for o in found if o is not start), key=lambda o: np.linalg.norm(o.centre - start.centre)
        )[:4]
        steps, target = 200, others[int(random.integers(len(others)))].centre
    for _ in range(steps):
        direction = direction + random.normal(0, 0.18, 3)
        if target is not None:
            direction = direction + 0.15 * _unit(target - point)
        direction = _unit(direction)
        there = point + _STEP * direction
        if not 0 <= there[0] <= tubes.shape[0] - 1 or np.hypot(*(there[1:] - axis)) > limit:
            return
        _stamp_capsule(tubes, point, there, radius)
        point = there
        if target is not None and np.linalg.norm(point - target) < 5:
            return


def _stamp_capsule(tubes: npt.NDArray[np.bool_], p: _Vector, q: _Vector, radius: float) -> None:
    box, points = _box(tubes.shape, p, q, radius)
    t = np.clip((points - p) @ (q - p) / ((q - p) @ (q - p)), 0, 1)
    tubes[box] |= ((points - p - t[..., None] * (q - p)) ** 2).sum(-1) <= radius**2


def _box(
    shape: tuple[int, ...], p: _Vector, q: _Vector, reach: float
) -> tuple[tuple[slice, ...], npt.NDArray[np.float64]]:
    low = np.maximum(np.floor(np.minimum(p, q) - reach), 0).astype(int)
    high = np.minimum(np.ceil(np.maximum(p, q) + reach) + 1, shape).astype(int)
    axes = [np.arange(a, max(a, b), dtype=float) for a, b in zip(low, high, strict=True)]
    box = tuple(slice(a, max(a, b)) for a, b in zip(low, high, strict=True))
    return box, np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1)


def _unit(vector: _Vector) -> _Vector:
    return vector / np.linalg.norm(vector)
