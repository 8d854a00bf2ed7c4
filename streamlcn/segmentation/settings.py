"""What a profile can say about segmentation, and what a network can be. Light: values only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field

from streamlcn.settings import Settings

__all__ = [
    "PRESETS",
    "NetworkConfig",
    "NetworkShape",
    "OtsuSettings",
    "Precision",
    "SegmentationSettings",
    "Sensor3DSettings",
    "UNetSettings",
]


Precision: TypeAlias = Literal["float32", "bfloat16"]


class NetworkShape(Settings):
    """What is free to choose about a network, whatever its kind and classes."""

    base: int = Field(8, ge=1, le=128, description="Filters at full resolution; doubled at each level below.")
    levels: int = Field(4, ge=2, le=6, description="Resolution levels, the full one included.")
    widest: int | None = Field(
        None, ge=1, description="Most filters of any level: deep networks see far without many weights."
    )
    norm: Literal["batch", "none"] = Field("batch", description="Normalisation after each convolution.")
    merge: Literal["sum", "concat"] = Field("sum", description="How both directions of an LSTM are joined.")

    @property
    def widths(self) -> tuple[int, ...]:
        """Filters at each level, the full resolution first."""
        doubled = (self.base * 2**level for level in range(self.levels))
        return tuple(width if self.widest is None else min(width, self.widest) for width in doubled)

    @property
    def multiple(self) -> int:
        """Rows and columns that the network takes are multiples of this."""
        return int(2 ** (self.levels - 1))

    @property
    def shape(self) -> dict[str, Any]:
        """These choices alone, as keywords."""
        return self.model_dump(include=set(NetworkShape.model_fields))


class NetworkConfig(NetworkShape):
    """Everything that decides a network's weights; stored with them."""

    kind: Literal["sensor3d", "unet"] = Field("sensor3d", description="Sensor3D sees three slices.")
    class_count: int = Field(4, ge=2, le=16, description="Classes, the background included.")

    @property
    def window(self) -> int:
        """Slices that decide the labels of the middle one."""
        return 3 if self.kind == "sensor3d" else 1


PRESETS: dict[str, NetworkConfig] = {
    "tiny": NetworkConfig(kind="unet", base=8, levels=3),
    "small-2d": NetworkConfig(kind="unet", base=16, levels=4),
    "small": NetworkConfig(kind="sensor3d", base=8, levels=4),
    "medium": NetworkConfig(kind="sensor3d", base=16, levels=4),
    "paper": NetworkConfig(kind="sensor3d", base=64, levels=3, norm="batch"),
    "paper-unet": NetworkConfig(kind="unet", base=64, levels=4, norm="batch"),
}
"""Named networks. ``paper`` is a reading of the wizard's defaults (depth 3 or 4, 64 filters), which the
publication does not spell out."""


class _BundleSettings(Settings):
    bundle: Path = Field(Path("model"), description="Folder of the model; relative to the profile's file.")
    sha256: str | None = Field(
        None, pattern="^[0-9a-f]{64}$", description="Weights that this profile accepts; null: any."
    )
    slab_height: int = Field(32, ge=1, description="Slices per slab of labels; does not change the labels.")
    device: str = Field("auto", description="auto, cpu, or a torch device: cuda, cuda:1.")
    precision: Precision = Field(
        "float32",
        description="Arithmetic of convolutions; bfloat16 is faster where the processor has it and changes"
        " about one label in a thousand.",
    )


class Sensor3DSettings(_BundleSettings):
    """A trained Sensor3D."""

    backend: Literal["sensor3d"] = "sensor3d"


class UNetSettings(_BundleSettings):
    """A trained U-Net."""

    backend: Literal["unet"] = "unet"


class OtsuSettings(Settings):
    """Grey ranges without a network: a baseline, which takes dark artefacts for pores."""

    backend: Literal["otsu"] = "otsu"
    ranges: Literal["three", "paper"] = Field(
        "three",
        description="three: two thresholds by Otsu part dark (LCN), middle (background) and bright (bone);"
        " paper: the grey ranges of Silveira et al. 2024, gaps closed at their middle",
    )
    slab_height: int = Field(32, ge=1, description="Slices per slab of labels; does not change the labels.")


SegmentationSettings: TypeAlias = Annotated[
    Sensor3DSettings | UNetSettings | OtsuSettings, Field(discriminator="backend")
]
