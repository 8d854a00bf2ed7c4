"""Shapes whose numbers are known, (z, y, x)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

R = np.array(
    [
        [-0.975900073, -0.218217890, 0],
        [0.195180015, -0.872871561, 0.447213595],
        [-0.097590007, 0.436435780, 0.894427191],
    ]
)


def grid(shape: tuple[int, int, int]) -> npt.NDArray[np.float64]:
    return np.stack(np.meshgrid(*(np.arange(n, dtype=float) for n in shape), indexing="ij"), axis=-1)


def ball(edge: int, centre: float, radius: float) -> npt.NDArray[np.bool_]:
    return ((grid((edge,) * 3) - centre) ** 2).sum(-1) <= radius**2


def ellipsoid() -> npt.NDArray[np.bool_]:
    along = (grid((100, 100, 100)) - [49.7, 50.2, 49.9]) @ R.T / [38, 22, 16]
    return (along**2).sum(-1) <= 1


def capsule(
    shape: tuple[int, int, int], start: npt.ArrayLike, end: npt.ArrayLike, radius: float
) -> npt.NDArray[np.bool_]:
    p, q = np.asarray(start, float), np.asarray(end, float)
    axis = q - p
    points = grid(shape) - p
    t = np.clip(points @ axis / (axis @ axis), 0, 1)
    return ((points - t[..., None] * axis) ** 2).sum(-1) <= radius**2


def torus() -> npt.NDArray[np.bool_]:
    z, y, x = np.moveaxis(grid((36, 70, 70)) - [18, 35, 35], -1, 0)
    return (np.hypot(y, x) - 20) ** 2 + z**2 <= 36


def disc(width: int) -> npt.NDArray[np.bool_]:
    i = (np.arange(width) + 0.5 - width / 2) ** 2
    return i[:, None] + i <= (width / 2) ** 2


def rod(width: int, *, length: int = 200) -> npt.NDArray[np.bool_]:
    """ImageJ disc with half its width of margin."""
    return np.repeat(np.pad(disc(width), width // 2)[None], length, axis=0)


def imagej_sphere(radius: int) -> npt.NDArray[np.bool_]:
    edge = 2 * radius + 2
    out = np.zeros((2 * radius + 3, edge, edge), bool)
    for z in range(-radius, radius + 1):
        rc = int(np.floor(np.sqrt(radius**2 - z**2) + 0.5))
        low = radius + 1 - rc
        if rc > 0:
            out[z + radius + 1, low : low + 2 * rc, low : low + 2 * rc] = disc(2 * rc)
    return out


def in_bone(lcn: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    return np.where(lcn, 2, 1).astype(np.uint8)
