"""A piece of bone with a known lacuna-canalicular network, as material fractions and labels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter, map_coordinates

from simulators.instruments import Sample
from simulators.outline import Outline
from simulators.pores import Lacuna, Tube, grow_canaliculi, mean_lacuna_volume_um3, place_lacunae

BACKGROUND, BONE, LCN, SHADE_OFF = 0, 1, 2, 3
_LACUNA_SHARE = 0.75
_TOLERANCE = 0.04
_ATTEMPTS = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Phantom:
    """Materials (z, y, x), y falling with the row; bone and polymer are uint8 fractions with 255 for full."""

    bone: npt.NDArray[np.uint8]
    polymer: npt.NDArray[np.uint8]
    density: npt.NDArray[np.float32]
    """Relative density of the bone on a coarse grid that spans the volume."""
    labels: npt.NDArray[np.uint8]
    """0 background (air, polymer, vascular canal), 1 bone, 2 LCN."""
    envelope: npt.NDArray[np.bool_]
    """Inside the bone's surface, pores and canal included."""
    voxel_um: float
    lacunae: tuple[Lacuna, ...]
    canaliculi: tuple[Tube, ...]

    @property
    def porosity(self) -> float:
        """LCN volume over bone plus LCN."""
        counts = np.bincount(self.labels.ravel(), minlength=4)
        return float(counts[LCN] / (counts[LCN] + counts[BONE]))

    def density_at(self, row: int) -> npt.NDArray[np.float32]:
        """Relative density of one slice, interpolated; float32 (y, x)."""
        rows, columns = self.bone.shape[0], self.bone.shape[1]
        coarse = self.density.shape
        z = row * (coarse[0] - 1) / max(rows - 1, 1)
        low = min(int(z), coarse[0] - 2)
        plane = self.density[low] * (1 - z + low) + self.density[low + 1] * (z - low)
        place = np.linspace(0, coarse[1] - 1, columns)
        grid = np.meshgrid(place, place, indexing="ij")
        return map_coordinates(plane, grid, order=1).astype(np.float32)


def make_phantom(
    sample: Sample, *, rows: int, columns: int, voxel_um: float, seed: int, pore_scale: float = 1.0
) -> Phantom:
    """Build the bone of one seed.

    The number of lacunae follows from the porosity (three quarters of it), then their size is adjusted until
    the labelled porosity, canaliculi included, is within 2 % of the one asked for. Where few lacunae are
    cut by the ends of the volume and size alone cannot do it, one is added or taken away.

    Raises
    ------
    ValueError
        The field of view is too small for a bone of this sample.
    """
    rng = np.random.default_rng([seed, 0xB0E])
    field_um = columns * voxel_um
    if sample.radius_share * field_um < 2 * sample.lacuna_depth_um * pore_scale:
        raise ValueError(
            f"a field of {field_um:.1f} um is too small for a bone with lacunae: use a larger size"
        )
    outline = Outline(sample, field_um=field_um, rows=rows, voxel_um=voxel_um, pore_scale=pore_scale, rng=rng)
    bone, polymer = outline.rasterise(columns)
    lacunae, tubes, void = _network(sample, outline, bone, pore_scale, rng)
    envelope = bone >= 128
    labels = _labels(bone, void)
    if sample.vascular_canal_radius_um > 0:
        _cut_canal(labels, void, sample.vascular_canal_radius_um / voxel_um)
    solid = (bone.astype(np.uint16) * (255 - void) // 255).astype(np.uint8)
    return Phantom(
        bone=solid,
        polymer=polymer,
        density=_density(sample, (rows, columns), voxel_um, rng),
        labels=labels,
        envelope=envelope,
        voxel_um=voxel_um,
        lacunae=tuple(lacunae),
        canaliculi=tuple(tubes),
    )


def _network(
    sample: Sample, outline: Outline, bone: npt.NDArray[np.uint8], pore_scale: float, rng: np.random.Generator
) -> tuple[list[Lacuna], list[Tube], npt.NDArray[np.uint8]]:
    """Lacunae, canaliculi and the fraction of void, uint8; fewer or more lacunae if scaling is not enough."""
    bone_um3 = int(np.count_nonzero(bone >= 128)) * outline.voxel_um**3
    mean_um3 = mean_lacuna_volume_um3(sample, pore_scale)
    count = max(1, round(_LACUNA_SHARE * sample.porosity * bone_um3 / mean_um3))
    best_error = np.inf
    for _ in range(_ATTEMPTS):
        lacunae = place_lacunae(
            sample,
            outline,
            count=count,
            depth_um=sample.lacuna_depth_um * pore_scale,
            pore_scale=pore_scale,
            spacing_um=0.62 * (bone_um3 / count) ** (1 / 3),
            rng=rng,
        )
        tubes = grow_canaliculi(sample, outline, lacunae, pore_scale=pore_scale, rng=rng)
        void, scale, share = _steered_void(sample, bone, lacunae, tubes, outline.voxel_um)
        error = abs(share / sample.porosity - 1)
        if error < best_error:
            scaled = [replace(lacuna, semi_axes_um=lacuna.semi_axes_um * scale) for lacuna in lacunae]
            best_error, best = error, (scaled, tubes, void)
        if error <= _TOLERANCE:
            break
        count = max(1, count + (1 if share < sample.porosity else -1))
    return best


def _steered_void(
    sample: Sample, bone: npt.NDArray[np.uint8], lacunae: list[Lacuna], tubes: list[Tube], voxel_um: float
) -> tuple[npt.NDArray[np.uint8], float, float]:
    """Fraction of void, uint8, the lacunae's scale that steers the porosity, and the porosity."""
    canaliculi = np.zeros(bone.shape, np.uint8)
    for tube in tubes:
        _stamp_tube(canaliculi, tube, voxel_um)
    inside = bone >= 128
    total = int(np.count_nonzero(inside))
    share_tubes = np.count_nonzero(inside & (canaliculi >= 128)) / total
    following = 1.0
    for _ in range(5):
        scale = following
        void = canaliculi.copy()
        for lacuna in lacunae:
            _stamp_lacuna(void, lacuna, scale, voxel_um)
        share = float(np.count_nonzero(inside & (void >= 128)) / total)
        if abs(share - sample.porosity) <= 0.02 * sample.porosity:
            break
        wanted = max(sample.porosity - share_tubes, 0.1 * sample.porosity) / max(share - share_tubes, 1e-6)
        following = float(np.clip(scale * wanted ** (1 / 3), 0.6, 1.4))
    return void, scale, share


def _stamp_lacuna(void: npt.NDArray[np.uint8], lacuna: Lacuna, scale: float, voxel_um: float) -> None:
    middle = (void.shape[1] - 1) / 2
    centre = lacuna.centre_um / voxel_um
    centre = np.array([centre[0], middle - centre[1], middle + centre[2]])
    reach = np.sqrt(((lacuna.axes * (lacuna.semi_axes_um * scale)[:, None]) ** 2).sum(0)) / voxel_um + 2
    low = np.clip(np.floor(centre - reach), 0, void.shape).astype(int)
    high = np.clip(np.ceil(centre + reach) + 1, 0, void.shape).astype(int)
    if np.any(high <= low):
        return
    box = tuple(slice(*pair) for pair in zip(low, high, strict=True))
    z, row, column = np.mgrid[box]
    points = np.stack([z, middle - row, column - middle], axis=-1) * voxel_um
    fraction = np.clip(lacuna.distance_um(points, scale) / voxel_um + 0.5, 0, 1)
    void[box] = np.maximum(void[box], np.rint(255 * fraction).astype(np.uint8))


def _stamp_tube(void: npt.NDArray[np.uint8], tube: Tube, voxel_um: float) -> None:
    """Paint the capsules between successive points, which meet in spheres."""
    middle = (void.shape[1] - 1) / 2
    points = tube.points_um / voxel_um
    points = np.stack([points[:, 0], middle - points[:, 1], middle + points[:, 2]], axis=1)
    start, along = points[:-1], np.diff(points, axis=0)
    radius = (tube.radius_um[:-1] + tube.radius_um[1:]) / 2 / voxel_um
    half = int(np.ceil(np.linalg.norm(along, axis=1).max() / 2 + radius.max())) + 1
    offsets = np.stack(np.meshgrid(*[np.arange(-half, half + 1)] * 3, indexing="ij"), -1).reshape(-1, 3)
    voxels = np.rint(start + along / 2).astype(np.int64)[:, None] + offsets
    relative = voxels - start[:, None]
    length2 = np.maximum((along**2).sum(1), 1e-9)
    place = np.clip((relative * along[:, None]).sum(-1) / length2[:, None], 0, 1)
    distance = np.linalg.norm(relative - place[..., None] * along[:, None], axis=-1)
    fraction = np.clip(radius[:, None] - distance + 0.5, 0, 1)
    keep = (fraction > 0) & np.all((voxels >= 0) & (voxels < void.shape), axis=-1)
    z, y, x = voxels[keep].T
    np.maximum.at(void, (z, y, x), np.rint(255 * fraction[keep]).astype(np.uint8))


def _labels(bone: npt.NDArray[np.uint8], void: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    labels = (bone >= 128).astype(np.uint8)
    labels[(labels == BONE) & (void >= 128)] = LCN
    return labels


def _cut_canal(labels: npt.NDArray[np.uint8], void: npt.NDArray[np.uint8], radius: float) -> None:
    """Bore a straight vessel along the bone's middle; it is background, not LCN."""
    middle = (labels.shape[1] - 1) / 2
    row, column = np.mgrid[: labels.shape[1], : labels.shape[2]]
    fraction = np.clip(radius - np.hypot(row - middle, column - middle) + 0.5, 0, 1)
    np.maximum(void, np.rint(255 * fraction).astype(np.uint8), out=void)
    labels[:, fraction >= 0.5] = BACKGROUND


def _density(
    sample: Sample, shape: tuple[int, int], voxel_um: float, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Smooth relative density about 1 with a correlation length of 1.5 um, on a grid of 0.75 um."""
    rows, columns = (max(2, int(np.ceil(count * voxel_um / 0.75)) + 1) for count in shape)
    noise = gaussian_filter(rng.standard_normal((rows, columns, columns)), 1.0, mode="reflect")
    noise = (noise - noise.mean()) / noise.std()
    return (sample.density_scale * (1 + sample.density_sigma * noise)).astype(np.float32)
