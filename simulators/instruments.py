"""What distinguishes one microscope and its sample from another: numbers in data files, not code."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field, fields, is_dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_type_hints

import numpy as np

HC_KEV_UM = 12.39842e-4


@dataclass(frozen=True, kw_only=True, slots=True)
class Material:
    """The refractive index n = 1 - delta + i beta at the instrument's energy."""

    delta: float
    beta: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Optics:
    """Condenser, objective and phase plate; pupil coordinates are spatial frequencies in 1/um."""

    cutoff_per_um: float
    ring_radii_per_um: tuple[float, ...]
    beamlet_count: int
    beamlet_width_per_um: float
    condenser_gradient: tuple[float, float]
    plate_shape: Literal["dots", "rings"]
    plate_width_per_um: float
    plate_transmission: float
    plate_shift_per_um: tuple[float, float]
    phase_shift_rad: float
    defocus_um: float
    psf_fwhm_um: float
    kernel_count: int

    def __post_init__(self) -> None:
        if self.plate_shape not in ("dots", "rings"):
            raise ValueError(f"plate_shape is {self.plate_shape!r}: choose dots or rings")


@dataclass(frozen=True, kw_only=True, slots=True)
class Camera:
    """Photon statistics and flaws of the detector, per unbinned effective pixel."""

    photons: float
    electrons_per_photon: float
    excess_variance: float
    electrons_per_count: float
    read_noise_electrons: float
    offset_counts: float
    response_sigma: float
    nonlinearity_sigma: float
    hot_share: float
    hot_counts: float
    dropped_share: float
    """Share of exposures that never arrive, from 0 up to, not including, 1."""

    def __post_init__(self) -> None:
        _refuse_negative(self)
        if not (self.hot_share <= 1 and self.dropped_share < 1):
            raise ValueError(f"hot_share {self.hot_share} or dropped_share {self.dropped_share} is too large")


@dataclass(frozen=True, kw_only=True, slots=True)
class Beam:
    """Relative strengths of the structures in the illumination, and how they change over one scan."""

    vignetting: float
    blobs: float
    grain: float
    grid: float
    grid_pitch_um: float
    stripes: float
    stripe_drift_um: float
    decay: float
    jitter: float

    def __post_init__(self) -> None:
        _refuse_negative(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Motion:
    """Slow drift over one scan (amplitude) and vibration from frame to frame (standard deviation)."""

    drift_x_um: float
    drift_z_um: float
    vibration_x_um: float
    vibration_z_um: float

    def __post_init__(self) -> None:
        _refuse_negative(self)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """The bone: outline relative to the field of view, pores in um. Sources are in docs/simulator.md."""

    radius_share: float = 0.36
    elongation: float = 0.14
    groove_depth: float = 0.40
    groove_width_rad: float = 0.45
    twist_rad: float = 0.15
    taper: float = 0.08
    roughness_um: float = 0.12
    polymer_um: float = 4.5
    polymer_half_width_rad: float = 0.75
    porosity: float = 0.021
    lacuna_semi_axes_um: tuple[tuple[float, float], ...] = ((3.6, 5.6), (1.7, 2.5), (1.15, 1.7))
    lacuna_depth_um: float = 2.6
    canaliculus_radius_um: float = 0.15
    canaliculus_log_sigma: float = 0.28
    canaliculus_radius_limits_um: tuple[float, float] = (0.10, 0.25)
    vascular_canal_radius_um: float = 0.0
    density_sigma: float = 0.02
    density_scale: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Instrument:
    """One beamline's microscope and the kind of sample it is known for."""

    name: str
    energy_kev: float
    pixel_um: float
    """Effective pixel at the paper's size, before the binning of a smaller size."""
    exposure_s: float
    axis_offset_um: float
    """Distance of the rotation axis from the middle of the detector, along columns."""
    bone: Material
    polymer: Material
    optics: Optics
    camera: Camera
    beam: Beam
    motion: Motion
    sample: Sample = field(default_factory=Sample)

    @property
    def phase_shift_rad(self) -> float:
        """Phase the plate adds to the direct light; negative makes bone bright, positive dark."""
        return self.optics.phase_shift_rad

    @property
    def wavenumber_per_um(self) -> float:
        """k = 2 pi / lambda."""
        return 2 * np.pi * self.energy_kev / HC_KEV_UM

    @property
    def wavelength_um(self) -> float:
        """lambda = h c / E."""
        return HC_KEV_UM / self.energy_kev


def load_instrument(name: str) -> Instrument:
    """Read an instrument from the data files by its name, or from another file by a path that ends in .toml.

    Raises
    ------
    ValueError
        There is no such instrument or file, or the file has a key missing or too many.
    """
    if name.endswith(".toml"):
        try:
            return _build(Instrument, tomllib.loads(Path(name).read_text()), name)
        except (OSError, tomllib.TOMLDecodeError) as unreadable:
            raise ValueError(f"cannot read the instrument {name}: {unreadable}") from unreadable
    folder = resources.files("simulators").joinpath("data")
    known = sorted(
        path.name.removesuffix(".toml") for path in folder.iterdir() if path.name.endswith(".toml")
    )
    if name not in known:
        raise ValueError(
            f"no instrument named {name!r}: choose one of {', '.join(known)}, or give a .toml file"
        )
    return _build(Instrument, tomllib.loads(folder.joinpath(f"{name}.toml").read_text()), name)


def randomised(instrument: Instrument, seed: int) -> Instrument:
    """Draw a neighbour of `instrument`: plate, condenser, flux, density, outline and motion.

    Plate and condenser were calibrated by eye, so a network trained on one set would learn a microscope that
    may not exist. Energy, pixel size, the sign of the phase shift and the plate's shape stay.
    """
    rng = np.random.default_rng([seed, 0x5EED])

    def near(value: float, share: float) -> float:
        return float(value * np.exp(rng.normal(0.0, share)))

    def pair(spread: float) -> tuple[float, float]:
        return float(rng.uniform(-spread, spread)), float(rng.uniform(-spread, spread) / 2)

    optics = replace(
        instrument.optics,
        plate_width_per_um=near(instrument.optics.plate_width_per_um, 0.15),
        plate_transmission=float(rng.uniform(0.75, 0.97)),
        plate_shift_per_um=pair(0.025),
        condenser_gradient=pair(0.4),
        psf_fwhm_um=near(instrument.optics.psf_fwhm_um, 0.08),
    )
    sample = replace(
        instrument.sample,
        elongation=float(rng.uniform(0.05, 0.22)),
        groove_depth=float(rng.uniform(0.05, 0.45)),
        groove_width_rad=near(instrument.sample.groove_width_rad, 0.15),
        radius_share=float(rng.uniform(0.31, 0.38)),
        polymer_um=float(rng.uniform(0.0, 6.0)),
        polymer_half_width_rad=float(rng.uniform(0.4, 1.5)),
        porosity=float(rng.uniform(0.012, 0.035)),
        density_scale=float(rng.uniform(0.88, 1.08)),
        density_sigma=float(rng.uniform(0.005, 0.035)),
    )
    camera = replace(
        instrument.camera,
        photons=near(instrument.camera.photons, 0.4),
        nonlinearity_sigma=near(instrument.camera.nonlinearity_sigma, 0.4),
    )
    motion = replace(
        instrument.motion,
        drift_x_um=float(rng.uniform(0, 2) * instrument.motion.drift_x_um),
        drift_z_um=float(rng.uniform(0, 2) * instrument.motion.drift_z_um),
    )
    return replace(
        instrument,
        optics=optics,
        sample=sample,
        camera=camera,
        motion=motion,
        axis_offset_um=float(rng.uniform(-1, 1) * 0.5),
    )


def _build(kind: Any, table: dict[str, Any], where: str) -> Any:
    """Turn a TOML table into a frozen dataclass; nested tables into nested dataclasses, lists into tuples."""
    unknown = sorted(set(table) - {item.name for item in fields(kind)})
    if unknown:
        raise ValueError(f"{where}: unknown key {', '.join(unknown)}")
    hints = get_type_hints(kind)
    values = {
        key: _build(hints[key], value, f"{where}.{key}") if is_dataclass(hints[key]) else _frozen(value)
        for key, value in table.items()
    }
    try:
        return kind(**values)
    except TypeError as missing:
        raise ValueError(f"{where}: {missing}") from missing


def _refuse_negative(part: Camera | Beam | Motion) -> None:
    for item in fields(part):
        if not getattr(part, item.name) >= 0:
            raise ValueError(f"{item.name} is {getattr(part, item.name)}: give 0 or more")


def _frozen(value: Any) -> Any:
    return tuple(_frozen(item) for item in value) if isinstance(value, list) else value
