"""How a network is trained. Light: values only."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from streamlcn.segmentation.settings import NetworkShape
from streamlcn.settings import Settings

__all__ = ["FAST", "FINE_TUNING", "PAPER", "RECIPES", "AugmentSettings", "SplitSettings", "TrainingSettings"]


class SplitSettings(Settings):
    """What is held out of training to judge it."""

    by: Literal["auto", "scans", "blocks", "slices"] = Field(
        "auto",
        description="scans: whole volumes; blocks: the top labelled slices of each volume, after a gap; "
        "slices: at random, as published, which leaks through windows of three; auto: scans from five on",
    )
    share: float = Field(0.2, gt=0, lt=1, description="Share that is held out.")
    gap: int = Field(2, ge=0, description="Slices between training and held-out blocks that neither uses.")


class AugmentSettings(Settings):
    """What is done to patches so that the network meets more than there is."""

    turn: bool = Field(default=True, description="Quarter turns and flips, also along z.")
    elastic_px: float = Field(
        0.0, ge=0, description="Smooth random moves of this standard deviation; they blur thin canaliculi."
    )
    zoom: float = Field(0.0, ge=0, lt=1, description="Larger or smaller by up to 1 + zoom; blurs too.")
    gain: float = Field(0.15, ge=0, lt=1, description="Contrast times 1 - gain to 1 + gain.")
    offset: float = Field(0.1, ge=0, description="Grey level plus -offset to offset, in normalised units.")
    noise: float = Field(0.03, ge=0, description="White noise of up to this standard deviation.")


class TrainingSettings(NetworkShape):
    """One training, of a network of this shape. An epoch is ``steps_per_epoch`` batches of random patches."""

    patch_px: int = Field(64, ge=16, description="Edge of a patch; a multiple of 2^(levels - 1).")
    batch: int = Field(12, ge=1, description="Patches per step.")
    epochs: int = Field(20, ge=1, description="Longest training.")
    steps_per_epoch: int | None = Field(
        40, ge=1, description="null: as many as cover the labelled slices once with patches side by side."
    )
    optimiser: Literal["adamw", "adadelta"] = Field("adamw", description="AdamW: warm-up, then a cosine.")
    learning_rate: float = Field(
        4e-3, gt=0, description="Highest rate; 1.0 for Adadelta (rho .95, eps 1e-7)."
    )
    loss: Literal["cross_entropy", "cross_entropy_dice"] = Field("cross_entropy_dice")
    lcn_share: float = Field(0.5, ge=0, le=1, description="Share of patches centred on a voxel of LCN.")
    patience: int | None = Field(None, ge=1, description="Epochs without progress after which to stop.")
    min_delta: float = Field(1e-4, ge=0, description="Progress that counts: 0.01 % of the loss.")
    delta_mode: Literal["relative", "absolute"] = Field(
        "relative", description="What min_delta is a part of."
    )
    monitor: Literal["validation", "training"] = Field("validation", description="Whose loss is watched.")
    shade_off_is_bone: bool = Field(
        default=False,
        description="Three classes: where artefacts are weak, shade-off has no class of its own.",
    )
    precision: Literal["float32", "bfloat16"] = Field("float32", description="Arithmetic of convolutions.")
    split: SplitSettings = Field(default_factory=SplitSettings)
    augment: AugmentSettings = Field(default_factory=AugmentSettings)


FAST = TrainingSettings()
PAPER = TrainingSettings(
    batch=32,
    epochs=100,
    steps_per_epoch=None,
    optimiser="adadelta",
    learning_rate=1.0,
    loss="cross_entropy",
    lcn_share=0.0,
    patience=10,
)
FINE_TUNING = TrainingSettings(patch_px=128, batch=4, epochs=8, learning_rate=8e-4)
RECIPES = {"fast": FAST, "paper": PAPER, "fine-tuning": FINE_TUNING}
"""Named recipes. ``paper``: Silveira et al. 2024 as far as published; the width is a setting beside it."""
