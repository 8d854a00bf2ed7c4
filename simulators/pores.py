"""Lacunae and canaliculi as shapes: ellipsoids lying with the bone, curved tubes from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter1d

from simulators.instruments import Sample
from simulators.outline import Outline

Floats = npt.NDArray[np.float64]
_STEP_UM = 0.25


@dataclass(frozen=True, kw_only=True, slots=True)
class Lacuna:
    """An ellipsoid: centre [z, y, x] and falling semi-axes in um; the rows of `axes` are their directions."""

    centre_um: Floats
    semi_axes_um: Floats
    axes: Floats
    waves: Floats
    """Roughness of the wall: four sinusoids, rows of (wave vector in the lacuna's frame, phase)."""

    @property
    def volume_um3(self) -> float:
        """4/3 pi a b c."""
        return float(4 / 3 * np.pi * np.prod(self.semi_axes_um))

    def distance_um(self, points_um: Floats, scale: float = 1.0) -> Floats:
        """Distance from the wall of points (point, [z, y, x]), positive inside, to first order."""
        local = (points_um - self.centre_um) @ self.axes.T
        semi = self.semi_axes_um * scale
        level = np.sqrt(((local / semi) ** 2).sum(-1))
        gradient = np.sqrt(((local / semi**2) ** 2).sum(-1)) / np.maximum(level, 1e-6)
        inside = np.where(level > 1e-6, (1 - level) / np.maximum(gradient, 1e-6), semi[-1])
        ripple = np.sin(local @ self.waves[:, :3].T + self.waves[:, 3]).sum(-1)
        return inside + 0.035 * ripple


@dataclass(frozen=True, kw_only=True, slots=True)
class Tube:
    """A canaliculus: points (point, [z, y, x]) a quarter of a micrometre apart, and the radius at each."""

    points_um: Floats
    radius_um: Floats


def place_lacunae(
    sample: Sample,
    outline: Outline,
    *,
    count: int,
    depth_um: float,
    pore_scale: float,
    spacing_um: float,
    rng: np.random.Generator,
) -> list[Lacuna]:
    """Scatter lacunae through the bone, the spacing apart; it relaxes when it cannot be met."""
    height = len(outline.radius_um) * outline.voxel_um
    reach = float(outline.radius_um.max())
    found: list[Lacuna] = []
    failures = 0
    while len(found) < count:
        centre = rng.uniform([0, -reach, -reach], [height, reach, reach])
        deep = outline.depth_um(centre[None])[0] >= depth_um
        if deep and all(np.linalg.norm(centre - other.centre_um) >= spacing_um for other in found):
            found.append(_lacuna(sample, outline, centre, pore_scale, rng))
            continue
        failures += 1
        if failures % 400 == 0:
            spacing_um *= 0.93
            depth_um *= 0.97
    return found


def mean_lacuna_volume_um3(sample: Sample, pore_scale: float) -> float:
    """Volume of the ellipsoid with the mean semi-axes."""
    return float(
        4 / 3 * np.pi * np.prod([np.mean(limits) for limits in sample.lacuna_semi_axes_um]) * pore_scale**3
    )


def _lacuna(
    sample: Sample, outline: Outline, centre: Floats, pore_scale: float, rng: np.random.Generator
) -> Lacuna:
    """Long axis near z (tilt 0.18 rad), short axis near the surface normal (0.25 rad)."""
    semi = np.array([rng.uniform(*limits) for limits in sample.lacuna_semi_axes_um]) * pore_scale
    long = np.array([1.0, 0, 0]) + rng.normal(0, 0.18, 3)
    long /= np.linalg.norm(long)
    short = outline.normal(centre) + rng.normal(0, 0.25, 3)
    short -= long * (short @ long)
    short /= np.linalg.norm(short)
    waves = np.column_stack([rng.normal(0, 2.5 / np.sqrt(pore_scale), (4, 3)), rng.uniform(0, 2 * np.pi, 4)])
    return Lacuna(
        centre_um=centre, semi_axes_um=semi, axes=np.stack([long, np.cross(short, long), short]), waves=waves
    )


def grow_canaliculi(
    sample: Sample, outline: Outline, lacunae: list[Lacuna], *, pore_scale: float, rng: np.random.Generator
) -> list[Tube]:
    """Join neighbours by 3-6 tubes, send 9-17 per lacuna to the surface, end some blind, branch some."""
    paths: list[Floats] = []
    for one, two in neighbour_pairs(np.array([lacuna.centre_um for lacuna in lacunae])):
        for _ in range(max(1, round(rng.integers(3, 7) * pore_scale))):
            start = _leave(lacunae[one], lacunae[two].centre_um, rng)
            paths.append(_curve(start, _leave(lacunae[two], lacunae[one].centre_um, rng), rng))
    for lacuna in lacunae:
        for _ in range(round(rng.integers(9, 18) * pore_scale)):
            end = _surface_point(outline, lacuna, rng)
            length = np.linalg.norm(end - lacuna.centre_um)
            if length > 22 and rng.random() < 0.6:
                continue
            path = _curve(_leave(lacuna, end, rng), end, rng)
            if rng.random() < 0.15:
                path = path[: max(3, int(len(path) * rng.uniform(0.3, 0.8)))]
            paths.append(path)
    for path in list(paths):
        if rng.random() < 0.35 and len(path) > 6:
            start = path[rng.integers(2, len(path) - 2)]
            end = start + _unit(rng.normal(0, 1, 3)) * rng.uniform(3, 10) * pore_scale
            paths.append(_curve(start, end, rng))
    return [Tube(points_um=path, radius_um=_radii(sample, len(path), rng)) for path in paths]


def neighbour_pairs(centres: Floats) -> list[tuple[int, int]]:
    """Relative-neighbourhood graph: i and j are joined unless some k is nearer to both."""
    if len(centres) == 0:
        return []
    gap = np.linalg.norm(centres[:, None] - centres[None], axis=-1)
    pairs = []
    for one in range(len(centres)):
        for two in range(one + 1, len(centres)):
            others = np.delete(np.arange(len(centres)), [one, two])
            if not np.any(np.maximum(gap[one, others], gap[two, others]) < gap[one, two]):
                pairs.append((one, two))
    return pairs


def _leave(lacuna: Lacuna, towards: Floats, rng: np.random.Generator) -> Floats:
    """A point just inside the wall, on the side that looks at `towards`."""
    local = _unit(_unit(lacuna.axes @ (towards - lacuna.centre_um)) + rng.normal(0, 0.45, 3))
    return lacuna.centre_um + lacuna.axes.T @ (0.85 * local / np.linalg.norm(local / lacuna.semi_axes_um))


def _surface_point(outline: Outline, lacuna: Lacuna, rng: np.random.Generator) -> Floats:
    z, y, x = lacuna.centre_um
    phi = np.arctan2(y, x) + rng.normal(0, 0.6)
    z = z + rng.normal(0, 3.0)
    radius = float(outline.at(outline.radius_um, phi, z / outline.voxel_um)) + 0.3
    return np.array([z, radius * np.sin(phi), radius * np.cos(phi)])


def _curve(start: Floats, end: Floats, rng: np.random.Generator) -> Floats:
    """Cubic Bezier, its control points off by N(0, 0.10 length), plus a smooth bridge of 0.16 um rms."""
    length = float(np.linalg.norm(end - start))
    count = max(4, int(np.ceil(1.1 * length / _STEP_UM)))
    t = np.linspace(0, 1, count)[:, None]
    first, second = (start + (end - start) * at + rng.normal(0, 0.10 * length, 3) for at in (1 / 3, 2 / 3))
    path = (1 - t) ** 3 * start + 3 * t * (1 - t) ** 2 * first + 3 * t**2 * (1 - t) * second + t**3 * end
    wander = gaussian_filter1d(rng.standard_normal((count, 3)), 6, axis=0, mode="nearest")
    return path + 0.16 * wander / max(float(wander.std()), 1e-6) * np.sin(np.pi * t)


def _radii(sample: Sample, count: int, rng: np.random.Generator) -> Floats:
    """Log-normal median radius per tube, within the published limits, swinging by 15 % along the tube."""
    median = np.exp(rng.normal(np.log(sample.canaliculus_radius_um), sample.canaliculus_log_sigma))
    low, high = sample.canaliculus_radius_limits_um
    swing = gaussian_filter1d(rng.standard_normal(count), 4, mode="nearest")
    return np.clip(median, low, high) * (1 + 0.15 * swing / max(float(swing.std()), 1e-6)).clip(0.7, 1.3)


def _unit(vector: Floats) -> Floats:
    return vector / np.linalg.norm(vector)
