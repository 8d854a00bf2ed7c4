"""What a profile can say about reconstruction. Light: values only, no arithmetic, no heavy import."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from streamlcn.settings import Settings

__all__ = [
    "AstraSettings",
    "CentreSettings",
    "CorrectionSettings",
    "FbpSettings",
    "MethodSettings",
    "ReconstructionSettings",
    "TomopySettings",
]

FilterName: TypeAlias = Literal["ramlak", "shepp", "cosine", "hamming", "hann"]


class CorrectionSettings(Settings):
    """From counts to line integrals, in this order; every step can be switched off."""

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


class FbpSettings(Settings):
    """Our own filtered back-projection, streamed."""

    backend: Literal["fbp"] = "fbp"
    device: str = Field(
        default="auto", description="auto, cpu (compiled kernel), or a torch device: cuda, cuda:1"
    )
    filter: FilterName = Field(default="ramlak", description="window on the ramp")
    padding: Literal["edge", "zero"] = Field(
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


class AstraSettings(Settings):
    """ASTRA toolbox (GPL-3, installed by the user): whole scan at the end."""

    backend: Literal["astra"] = "astra"
    device: str = Field(default="auto", description="auto, cpu (FBP) or cuda (FBP_CUDA)")
    filter: FilterName = Field(default="ramlak", description="window on the ramp")


class TomopySettings(Settings):
    """tomopy in its own environment and process: whole scan at the end."""

    backend: Literal["tomopy"] = "tomopy"
    device: str = Field(default="auto", description="auto, cpu (gridrec) or cuda (tomopy.astra, FBP_CUDA)")
    filter: FilterName = Field(default="ramlak", description="window on the ramp")
    python: str = Field(
        default="python",
        description="interpreter of the environment that has tomopy (it wants an older numpy than ours)",
    )
    timeout_s: float = Field(default=3600.0, gt=0, description="longest time one reconstruction may take")


MethodSettings: TypeAlias = Annotated[
    FbpSettings | AstraSettings | TomopySettings, Field(discriminator="backend")
]


class ReconstructionSettings(Settings):
    """All that determines a volume, given a scan's frames."""

    correction: CorrectionSettings = Field(default_factory=CorrectionSettings)
    centre: CentreSettings = Field(default_factory=CentreSettings)
    method: MethodSettings = Field(default_factory=FbpSettings)
