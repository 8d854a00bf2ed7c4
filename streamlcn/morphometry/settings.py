"""What a profile can say about morphometry. Light: values only, no arithmetic, no heavy import."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from streamlcn.settings import Settings

__all__ = ["MorphometryParameters"]


class MorphometryParameters(Settings):
    """Every choice that moves a number, with the defaults of Silveira et al. 2024 where they state one."""

    island_threshold_voxels: int = Field(
        default=100,
        ge=0,
        description="26-connected LCN components smaller than this become bone; 0: keep all",
    )
    hole_threshold_voxels: int = Field(
        default=500,
        ge=0,
        description="6-connected holes in the LCN smaller than this, touching no face of the volume, "
        "become LCN; 0: fill nothing",
    )
    closing: Literal["cross", "none"] = Field(
        default="cross",
        description="closing of the LCN inside the tissue: the 6-neighbour cross, or none",
    )
    lacuna_thickness_um: float = Field(
        default=1.0,
        gt=0,
        description="an LCN voxel at least this thick is lacuna, a thinner one canaliculus",
    )
    lacuna_volume_um3: float = Field(
        default=5.0, ge=0, description="thick LCN components smaller than this are no lacunae"
    )
    split_depth_voxels: float = Field(
        default=1.5,
        gt=0,
        description="touching lacunae are split where the neck is narrower by this, in radius",
    )
    split_depth_fraction: float = Field(
        default=0.15,
        ge=0,
        lt=1,
        description="and narrower by at least this part of the smaller one's radius",
    )
    shell_inner_voxels: float = Field(
        default=5.0,
        gt=0,
        description="canaliculi that leave a lacuna are counted beyond this distance from it",
    )
    shell_outer_voxels: float = Field(default=6.5, gt=0, description="and up to this distance")
    skeleton_smoothing_voxels: int = Field(
        default=2, ge=0, description="half-width of the moving average along centre lines; 0: raw staircase"
    )
    resolution_um: float = Field(
        default=0.15,
        gt=0,
        description="thicknesses below this are at the limit of the microscope (0.13 to 0.15 in the paper): "
        "a floor, not a diameter",
    )
    histogram_bin_um: float = Field(default=0.1, gt=0, description="bin width of the thickness histogram")

    @model_validator(mode="after")
    def _shell_is_one(self) -> Self:
        if self.shell_outer_voxels <= self.shell_inner_voxels:
            raise ValueError(
                f"shell_outer_voxels ({self.shell_outer_voxels}) must exceed "
                f"shell_inner_voxels ({self.shell_inner_voxels})"
            )
        return self
