"""The bone's cross-section in polar form and the cap of mounting polymer on its surface."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, gaussian_filter1d

from simulators.instruments import Sample

_ANGLES = 1440
_LIMIT = 0.47
_POLYMER_LIMIT = 0.49

Floats = npt.NDArray[np.float64]


class Outline:
    """R(phi, z) of one bone, in um about the rotation axis' middle, twisted and tapered along z.

    R = R0 {1 + e cos 2(phi - p2) + 0.05 cos(3 phi - p3) - d exp(-((phi - pg) / w)^2)} (1 + taper z), with z
    in [-1, 1] and p2 and pg turning with z, plus roughness on two scales.
    """

    def __init__(
        self,
        sample: Sample,
        *,
        field_um: float,
        rows: int,
        voxel_um: float,
        pore_scale: float,
        rng: np.random.Generator,
    ) -> None:
        self.voxel_um = voxel_um
        phi = 2 * np.pi * np.arange(_ANGLES) / _ANGLES
        z = np.linspace(-1, 1, rows)[:, None]
        radius_um = sample.radius_share * field_um
        oval, third = rng.uniform(0, 2 * np.pi, 2)
        groove = oval + np.pi / 2 + rng.uniform(-0.4, 0.4)
        twist = rng.uniform(-1, 1) * sample.twist_rad * z
        depth = sample.groove_depth * (1 + 0.15 * np.sin(2 * z + rng.uniform(0, 2 * np.pi)))
        shape = (
            1
            + sample.elongation * np.cos(2 * (phi - oval - twist))
            + 0.05 * np.cos(3 * phi - third)
            - depth * np.exp(-((_wrapped(phi - groove - twist) / sample.groove_width_rad) ** 2))
        )
        taper = 1 + rng.choice([-1, 1]) * sample.taper * z
        rough = _roughness(rows, radius_um, voxel_um, sample.roughness_um, rng)
        limit = _LIMIT * field_um
        self.radius_um = np.minimum(radius_um * shape * taper + rough, limit)
        slope = np.gradient(self.radius_um, 2 * np.pi / _ANGLES, axis=1)
        self.steepness = np.sqrt(1 + (slope / self.radius_um) ** 2)
        self.slope = slope / self.radius_um
        centre = (
            rng.uniform(0, 2 * np.pi)
            if sample.groove_depth < 0.05
            else groove + np.pi + rng.uniform(-1.3, 1.3)
        )
        cap = np.clip(1 - (_wrapped(phi - centre) / sample.polymer_half_width_rad) ** 2, 0, None)
        thickness = sample.polymer_um * pore_scale * cap * (1 - 0.35 * z)
        self.polymer_radius_um = np.minimum(self.radius_um + thickness, _POLYMER_LIMIT * field_um)
        self.has_polymer = thickness > 0

    def at(self, table: Floats, phi: npt.ArrayLike, row: npt.ArrayLike) -> Floats:
        """Interpolate a table (row, phi) at angles and rows (clipped to the volume)."""
        place = np.mod(phi, 2 * np.pi) * (_ANGLES / (2 * np.pi))
        low = np.floor(place).astype(np.int64)
        share = place - low
        z = np.clip(np.rint(row), 0, len(table) - 1).astype(np.int64)
        return table[z, low % _ANGLES] * (1 - share) + table[z, (low + 1) % _ANGLES] * share

    def depth_um(self, points_um: Floats) -> Floats:
        """Distance below the surface of points (point, [z, y, x]), to first order; negative outside."""
        z, y, x = points_um.T
        phi, row = np.arctan2(y, x), z / self.voxel_um
        return (self.at(self.radius_um, phi, row) - np.hypot(x, y)) / self.at(self.steepness, phi, row)

    def normal(self, point_um: Floats) -> Floats:
        """Outward unit normal [z, y, x], in the slice, of the surface nearest in angle."""
        z, y, x = point_um
        phi = np.arctan2(y, x)
        slope = float(self.at(self.slope, phi, z / self.voxel_um))
        radial, along = np.array([0, np.sin(phi), np.cos(phi)]), np.array([0, np.cos(phi), -np.sin(phi)])
        direction = radial - slope * -along
        return direction / np.linalg.norm(direction)

    def rasterise(self, columns: int) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
        """Bone and polymer fraction per voxel, uint8 (row, y, x) with 255 for full, edges anti-aliased.

        fraction = clip(distance / voxel + 1/2, 0, 1), distance = (R - r) / sqrt(1 + (R'/R)^2).
        """
        middle = (columns - 1) / 2
        y, x = np.mgrid[:columns, :columns]
        x, y = (x - middle) * self.voxel_um, (middle - y) * self.voxel_um
        radius = np.hypot(x, y).astype(np.float32)
        place = np.mod(np.arctan2(y, x), 2 * np.pi) * (_ANGLES / (2 * np.pi))
        low = np.floor(place).astype(np.int32)
        share, low, high = (place - low).astype(np.float32), low % _ANGLES, (low + 1) % _ANGLES
        bone = np.empty((len(self.radius_um), columns, columns), np.uint8)
        polymer = np.empty_like(bone)
        for row in range(len(bone)):
            inner, outer, steep = (
                table[row].astype(np.float32)
                for table in (self.radius_um, self.polymer_radius_um, self.steepness)
            )
            scale = 1 / (self.voxel_um * (steep[low] * (1 - share) + steep[high] * share))
            solid = np.clip((inner[low] * (1 - share) + inner[high] * share - radius) * scale + 0.5, 0, 1)
            cap = np.clip((outer[low] * (1 - share) + outer[high] * share - radius) * scale + 0.5, 0, 1)
            bone[row] = np.rint(255 * solid)
            polymer[row] = np.rint(255 * np.clip(cap - solid, 0, 1) * self.has_polymer[row][low])
        return bone, polymer


def _wrapped(angle: Floats) -> Floats:
    return np.mod(angle + np.pi, 2 * np.pi) - np.pi


def _roughness(
    rows: int, radius_um: float, voxel_um: float, rms_um: float, rng: np.random.Generator
) -> Floats:
    """Surface noise (row, phi): `rms_um` at 1.2 um correlation and twice that at 6 um."""
    arc = 2 * np.pi * radius_um / _ANGLES
    total = np.zeros((rows, _ANGLES))
    for length, rms in ((1.2, rms_um), (6.0, 2 * rms_um)):
        noise = rng.standard_normal((rows, _ANGLES))
        noise = gaussian_filter1d(noise, length / arc / 2, axis=1, mode="wrap")
        noise = gaussian_filter(noise, (length / voxel_um / 2, 0), mode="reflect")
        total += rms * (noise - noise.mean()) / noise.std()
    return total
