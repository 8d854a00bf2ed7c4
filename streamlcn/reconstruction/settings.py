"""What a profile can say about reconstruction. Light: values only, no arithmetic, no heavy import."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from streamlcn.settings import Settings

__all__ = [
    "AstraSettings",
    "CentreSettings",
    "CorrectionSettings",
    "CropSettings",
    "FbpSettings",
    "MethodSettings",
    "PaganinSettings",
    "ReconstructionSettings",
    "TomopySettings",
]

FilterName: TypeAlias = Literal["ramlak", "shepp", "cosine", "hamming", "hann"]
PaddingName: TypeAlias = Literal["edge", "zero"]
Fallback: TypeAlias = Literal["none", "fbp"]


class CropSettings(Settings):
    """The part of the detector that is reconstructed; null: up to the border."""

    row_start: int = Field(default=0, ge=0, description="first detector row")
    row_stop: int | None = Field(default=None, ge=1, description="row after the last")
    column_start: int = Field(default=0, ge=0, description="first detector column")
    column_stop: int | None = Field(default=None, ge=1, description="column after the last")


class PaganinSettings(Settings):
    """Single-material phase retrieval for propagation contrast; the energy comes from the scan."""

    delta_over_beta: float = Field(
        gt=0, description="ratio of refraction to absorption of the material (bone at 20 keV: about 400)"
    )
    distance_mm: float = Field(
        gt=0, description="propagation distance; behind a cone or zone plate divide it by the magnification"
    )


class CorrectionSettings(Settings):
    """From counts to line integrals, in this order; every step can be switched off."""

    crop: CropSettings = Field(
        default_factory=CropSettings, description="what is kept of every frame, before everything else"
    )
    flats: Literal["mean", "before", "after", "interpolate"] = Field(
        default="mean",
        description="which flats count when some were taken after the scan: all alike, one kind, or both "
        "interpolated over the scan. A stream knows those after the scan only at its end",
    )
    air_columns_px: int = Field(
        default=0,
        ge=0,
        description="columns at either border that only air crosses: their mean transmission is scaled to 1 "
        "in every frame (decay of the beam); 0: off",
    )
    outlier_threshold: float | None = Field(
        default=None,
        gt=0,
        description="replace a pixel whose transmission differs from the median of its 3 x 3 neighbourhood "
        "by more than this (zingers, hot pixels); null: off",
    )
    median_radius_px: int = Field(
        default=2,
        ge=0,
        le=5,
        description="radius of the round median filter on the transmission (2: 21 pixels); 0: off",
    )
    binning: int = Field(
        default=1,
        ge=1,
        le=16,
        description="pixels per side that are averaged into one; voxels grow and values are per binned pixel",
    )
    paganin: PaganinSettings | None = Field(
        default=None, description="phase retrieval before the logarithm; null: off"
    )
    contrast: Literal["log", "linear"] = Field(
        default="log",
        description="log: logarithm of the transmission; linear: transmission minus 1, which keeps the phase "
        "of a weak object behind a Zernike plate linear and needs no floor. The plate decides the sign",
    )
    transmission_floor: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="transmissions below this count as this before the logarithm; "
        "null: 0.02 in phase contrast, 1e-6 in absorption",
    )
    rings: Literal["none", "mean"] = Field(
        default="none",
        description="mean: subtract what is sharp across columns in the mean over all angles",
    )
    ring_width_px: int = Field(
        default=31,
        ge=3,
        le=501,
        description="columns of the running median that tells stripes from the object; odd",
    )


class CentreSettings(Settings):
    """Where the axis of rotation is."""

    value: Literal["auto"] | float = Field(
        default="auto",
        description="pixels, 0.0 at the centre of column 0; auto: as documents say, else found from the scan",
    )
    tolerance_px: float = Field(
        default=0.1,
        gt=0,
        le=2,
        description="found centres are rounded to multiples of this; a final centre that differs from the "
        "provisional one after rounding has the scan reconstructed again",
    )


FALLBACK: Any = Field(
    default="none",
    description="fbp: our own back-projection takes over when this backend is missing or fails, and log and "
    "result say why; none: that is an error",
)


class FbpSettings(Settings):
    """Our own filtered back-projection, streamed."""

    backend: Literal["fbp"] = "fbp"
    device: str = Field(
        default="auto", description="auto, cpu (compiled kernel), or a torch device: cuda, cuda:1"
    )
    mode: Literal["direct", "merged"] = Field(
        default="direct",
        description="merged: up to eight neighbouring angles are back-projected as one, always on the CPU; "
        "for huge frames, in half the time, approximate (a head phantom: at the worst edge 8 % of the "
        "maximum off, 0.6 % rms)",
    )
    filter: FilterName = Field(default="ramlak", description="window on the ramp")
    padding: PaddingName = Field(
        default="edge", description="what is assumed beyond the detector: its edge values, or nothing"
    )
    batch: int = Field(
        default=24,
        ge=1,
        le=256,
        description="projections per pass over the volume; does not change the values",
    )
    reorder_window: int = Field(
        default=96, ge=1, description="projections that may wait for an earlier one before it counts as lost"
    )
    threads: int | None = Field(
        default=None, ge=1, description="CPU threads; null: those this process may use"
    )
    device_memory_gb: float | None = Field(
        default=None,
        gt=0,
        description="memory of a torch device that the volume may take, the rest of it stays in host memory; "
        "null: nine tenths of what is free",
    )

    @property
    def description(self) -> str:
        """What makes the volume, for people and results."""
        return "fbp" if self.mode == "direct" else "fbp with merged angles (approximate)"


class AstraSettings(Settings):
    """ASTRA toolbox (GPL-3, installed by the user): whole scan at the end."""

    backend: Literal["astra"] = "astra"
    device: str = Field(default="auto", description="auto, cpu (FBP) or cuda (FBP_CUDA)")
    filter: FilterName = Field(default="ramlak", description="window on the ramp")
    padding: PaddingName = Field(default="edge", description="what is assumed beyond the detector")
    projector: Literal["strip", "linear", "line"] = Field(
        default="strip", description="pixel model on the CPU: strip is the most accurate, linear the fastest"
    )
    fallback: Fallback = FALLBACK


class TomopySettings(Settings):
    """tomopy in its own environment and process: whole scan at the end."""

    backend: Literal["tomopy"] = "tomopy"
    device: str = Field(default="auto", description="auto, cpu (gridrec) or cuda (tomopy.astra, FBP_CUDA)")
    filter: FilterName = Field(default="ramlak", description="window on the ramp")
    padding: PaddingName = Field(default="edge", description="what is assumed beyond the detector")
    python: str = Field(
        default="python",
        description="interpreter of the environment that has tomopy (it wants an older numpy than ours)",
    )
    timeout_s: float = Field(default=3600.0, gt=0, description="longest time one reconstruction may take")
    fallback: Fallback = FALLBACK


MethodSettings: TypeAlias = Annotated[
    FbpSettings | AstraSettings | TomopySettings, Field(discriminator="backend")
]


class ReconstructionSettings(Settings):
    """All that determines a volume, given a scan's frames."""

    correction: CorrectionSettings = Field(default_factory=CorrectionSettings)
    centre: CentreSettings = Field(default_factory=CentreSettings)
    method: MethodSettings = Field(default_factory=FbpSettings)
