"""The inputs that the validation cases name in words, built from those words."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from tests.morphometry import phantoms
from tests.morphometry.network_phantom import network_phantom

__all__ = ["cylinders", "input_of", "plates"]

DATA = Path(__file__).parents[1] / "data" / "morphometry"
_Mask = npt.NDArray[np.bool_]


def _labels(shape: tuple[int, ...], *boxes: tuple[slice, ...]) -> npt.NDArray[np.uint8]:
    out = np.ones(shape, np.uint8)
    for box in boxes:
        out[box] = 2
    return out


def _tissue_block(edge: str, cube: str) -> npt.NDArray[np.uint8]:
    inner = slice(1, 1 + int(cube))
    return _labels((int(edge),) * 3, (inner,) * 3)


def _shade_off() -> npt.NDArray[np.uint8]:
    out = _labels((10, 10, 20), (slice(None), slice(0, 2), slice(10, 15)))
    out[..., 0] = 3
    return out


def _shaft() -> npt.NDArray[np.uint8]:
    y, x = np.ogrid[:81, :81]
    out = np.repeat((((y - 40) ** 2 + (x - 40) ** 2) <= 36**2)[None], 40, axis=0).astype(np.uint8)
    out[10:30, 35:45, 35:45] = 2
    return out


def _brick(thickness: str) -> _Mask:
    return np.pad(np.ones((int(thickness), 128, 128), bool), 1)


def _rod(width: str, low: str, edge: str) -> _Mask:
    plane = np.zeros((int(edge),) * 2, bool)
    plane[int(low) : int(low) + int(width), int(low) : int(low) + int(width)] = phantoms.disc(int(width))
    return np.repeat(plane[None], 200, axis=0)


def _box_edges() -> _Mask:
    box = np.zeros((80, 80, 80), bool)
    box[31:48, 32:48, 32:48] = True
    inner = [slice(32, 47), slice(33, 47), slice(33, 47)]
    for axis in range(3):
        through = list(inner)
        through[axis] = slice(None)
        box[tuple(through)] = False
    return box


def _pair() -> _Mask:
    out = np.zeros((4, 4, 4), bool)
    out[1, 1, 1] = out[2, 2, 2] = True
    return out


def _opened_plate_doubled() -> _Mask:
    opened = np.zeros((40, 40, 5), bool)
    opened[..., 1:4] = True
    return opened.repeat(2, 0).repeat(2, 1).repeat(2, 2)


def _capsule() -> _Mask:
    axis = np.array([1, 2, 3]) / np.sqrt(14) * 35
    return phantoms.capsule((110, 110, 110), 55 - axis, 55 + axis, 2)


def _star() -> _Mask:
    out = np.zeros((90, 90, 90), bool)
    for direction in ([0, 0, 1], [0, 0.866, -0.5], [0, -0.866, -0.5]):
        out |= phantoms.capsule(out.shape, [45] * 3, 45 + 35 * np.array(direction), 2)
    return out


def _two_balls() -> npt.NDArray[np.uint8]:
    z, y, x = np.ogrid[:60, :60, :100]
    near = np.minimum(abs(x - 39), abs(x - 61))
    return phantoms.in_bone((z - 30) ** 2 + (y - 30) ** 2 + near**2 <= 225)


def _planes() -> npt.NDArray[np.uint8]:
    out = np.ones((28, 16, 16), np.uint8)
    out[[0, 9, 18, 27]] = 2
    return out


def _blobs() -> npt.NDArray[np.uint8]:
    out = np.ones((20, 20, 60), np.uint8)
    for count, edge, x in ((99, 5, 5), (101, 5, 20), (500, 8, 35)):
        box = (np.arange(edge**3) < count).reshape((edge,) * 3)
        out[5 : 5 + edge, 5 : 5 + edge, x : x + edge][box] = 2
    return out


def _orphan() -> npt.NDArray[np.uint8]:
    cube, bar = (slice(5, 25),) * 3, (slice(40, 44), slice(40, 44), slice(70, 100))
    return _labels((50, 50, 120), cube, bar)


def _floor() -> npt.NDArray[np.uint8]:
    return _labels((60, 60, 60), (slice(5, 6), slice(5, 45), slice(5, 45)), (slice(20, 40),) * 3)


def _lhdl(threshold: str) -> _Mask:
    with np.load(DATA / "lhdl_3155_trabecular_masks.npz") as file:
        shape = tuple(file["shape"])
        return np.unpackbits(file[f"above_{threshold}"])[: np.prod(shape)].reshape(shape).astype(bool)


def _stored(name: str) -> _Mask:
    with np.load(DATA / name) as file:
        return file["volume"] > 0


def _network(z: str, y: str, x: str, voxel: str, lacunae: str, canaliculi: str, seed: str) -> Any:
    return network_phantom((int(z), int(y), int(x)), float(voxel), int(lacunae), int(canaliculi), int(seed))


def _random_axes() -> npt.NDArray[np.float64]:
    axes = np.random.default_rng(0).normal(size=(20000, 3))
    return axes / np.linalg.norm(axes, axis=1, keepdims=True)


def cylinders(diameter: float, edge: int, margin: float) -> list[tuple[_Mask, _Mask]]:
    """Return 16 cylinders in random poses, each with the part that is far enough from the faces."""
    random = np.random.default_rng(3)
    out = []
    for _ in range(16):
        direction = random.normal(size=3)
        direction /= np.linalg.norm(direction)
        points = phantoms.grid((edge,) * 3) - edge / 2 - random.uniform(-0.5, 0.5, 3)
        along = points @ direction
        solid = (points**2).sum(-1) - along**2 <= (diameter / 2) ** 2
        out.append((solid, solid & (abs(along) <= margin)))
    return out


def plates() -> list[_Mask]:
    """Return a plate of 1x8x8 voxels in 343 places of 64^3 voxels."""
    out = []
    for z in range(1, 50, 8):
        for y in range(0, 49, 8):
            for x in range(0, 49, 8):
                mask = np.zeros((64, 64, 64), bool)
                mask[z, y : y + 8, x : x + 8] = True
                out.append(mask)
    return out


_N = r"(\d+)"
_BUILDERS: list[tuple[str, Callable[..., Any]]] = [
    (rf"{_N}x\d+x\d+ tissue block; LCN = {_N}x", _tissue_block),
    (r"10x10x20 block of bone", _shade_off),
    (r"40x81x81; per slice bone", _shaft),
    (r"60x60x60 bone block", lambda: _labels((60,) * 3, (slice(10, 30), slice(10, 26), slice(10, 22)))),
    (rf"lattice ball: {_N}x\d+x\d+, centre \({_N},\d+,\d+\), r={_N}",
     lambda e, c, r: phantoms.ball(int(e), int(c), int(r))),
    (r"ball r=10 minus ball r=6", lambda: phantoms.ball(30, 15, 10) & ~phantoms.ball(30, 15, 6)),
    (r"ellipsoid in 100x100x100", phantoms.ellipsoid),
    (rf"brick of {_N}x128x128", _brick),
    (rf"rod along z: ImageJ disc of width {_N} placed at rows and columns {_N}\.\.\d+ of a {_N}x", _rod),
    (rf"ImageJ sphere of radius {_N}", lambda r: phantoms.imagej_sphere(int(r))),
    (r"(?:solid )?torus in 36x70x70", phantoms.torus),
    (r"40x40x5 with x=1..3 filled", _opened_plate_doubled),
    (rf"lhdl_3155_trabecular.npz, volume > {_N}", _lhdl),
    (r"(\w+\.npz)", _stored),
    (r"edges \(1 voxel\) of a box", _box_edges),
    (r"4x4x4 with voxels", _pair),
    (r"10x10x10, voxels with even", lambda: np.indices((10, 10, 10)).sum(0) % 2 == 0),
    (r"capsule in 110", _capsule),
    (r"90\^3: three capsules", _star),
    (rf"LCN phantom .*: {_N}x{_N}x{_N}, voxel ([\d.]+), {_N} lacunae, {_N} canaliculi each, seed {_N}",
     _network),
    (r"60x60x100: balls r=15", _two_balls),
    (r"28x16x16; LCN planes", _planes),
    (r"20000 isotropic vectors", _random_axes),
    (r"ten vectors", lambda: np.array([(0, 0, (-1) ** k) for k in range(10)], float)),
    (r"20x20x60; LCN blobs", _blobs),
    (r"50x50x120; LCN cube", _orphan),
    (r"60\^3; LCN plate", _floor),
]  # fmt: skip


@lru_cache(maxsize=2)
def input_of(words: str) -> Any:
    """Return the mask, labels, axes or phantom that a case describes."""
    for pattern, builder in _BUILDERS:
        match = re.match(pattern, words)
        if match:
            return builder(*match.groups())
    raise ValueError(f"no input is known for {words!r}")
