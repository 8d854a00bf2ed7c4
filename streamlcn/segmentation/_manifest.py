"""What a bundle says about its weights."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from streamlcn.model import CLASS_NAMES
from streamlcn.segmentation._normalise import Normalisation
from streamlcn.segmentation.settings import NetworkConfig
from streamlcn.settings import Settings

__all__ = ["FORMAT_VERSION", "Calibration", "Manifest", "OodReference"]

FORMAT_VERSION = 1


class OodReference(Settings):
    """What training and held-out volumes looked like, and how far a volume may be from that."""

    grey_levels: tuple[float, ...] = Field(description="Which quantiles of the normalised grey values.")
    grey_quantiles: tuple[float, ...] = Field(description="Their mean over the known volumes.")
    grey_unit: float = Field(gt=0, description="Largest grey distance of a bone from the others.")
    texture_mean: tuple[float, ...] = Field(description="Means and deviations of features, over slices.")
    texture_precision: tuple[tuple[float, ...], ...] = Field(description="Inverse of their covariance.")
    texture_unit: float = Field(gt=0, description="Largest texture distance of a bone from the others.")
    flag_above: float = Field(gt=0, description="Flagged where the least score is above this.")


class Calibration(Settings):
    """What probabilities are worth, found on held-out slices."""

    temperature: float = Field(gt=0, description="Logits are divided by it.")
    error: float = Field(ge=0, description="Expected calibration error with it, 15 bins.")
    error_before: float = Field(ge=0, description="The same without.")
    porosity_spread: float | None = Field(
        None,
        ge=0,
        description="Half-width of porosity intervals over the ambiguous share; null: unknown.",
    )
    volumes: int = Field(ge=0, description="How many held-out volumes the spread covers.")


class Manifest(Settings):
    """``manifest.json`` of a bundle; ``weights_sha256`` pins ``model.safetensors``."""

    format_version: int = Field(FORMAT_VERSION, ge=1, le=FORMAT_VERSION)
    name: str = Field(min_length=1, description="What results call the model.")
    network: NetworkConfig
    classes: tuple[str, ...] = Field(description="In the order of the outputs; names of `CLASS_NAMES`.")
    normalisation: Normalisation = Field(default_factory=Normalisation)
    weights_sha256: str = Field(pattern="^[0-9a-f]{64}$")
    voxel_size_um: tuple[float, float] | None = Field(None, description="Smallest and largest trained on.")
    ood: tuple[OodReference, ...] | None = Field(
        None, min_length=1, description="What the training data looked like, for each voxel size."
    )
    calibration: Calibration | None = None
    provenance: dict[str, Any] = Field(default_factory=dict, description="Data, seed, recipe, versions.")
    metrics: dict[str, Any] = Field(default_factory=dict, description="On held-out data, as provenance says.")

    @model_validator(mode="after")
    def _classes_fit(self) -> Manifest:
        unknown = [name for name in self.classes if name not in CLASS_NAMES]
        if unknown:
            raise ValueError(f"unknown class {unknown[0]!r}; known are {', '.join(CLASS_NAMES)}")
        if len(set(self.classes)) != len(self.classes) or len(self.classes) != self.network.class_count:
            raise ValueError(
                f"{self.network.class_count} outputs need as many different classes, not {self.classes}"
            )
        return self
