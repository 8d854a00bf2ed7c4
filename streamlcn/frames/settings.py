"""What a profile can say about reading frames. Light: values only."""

from __future__ import annotations

from typing import Literal, TypeAlias

from pydantic import Field

from streamlcn.settings import Settings

__all__ = ["FrameSettings", "SwmrMode"]

SwmrMode: TypeAlias = Literal["auto", "always", "never"]


class FrameSettings(Settings):
    """How pixels that a document announces are read."""

    timeout_s: float = Field(
        default=10.0,
        ge=0,
        description="longest wait for a frame that was announced but is not yet in its file",
    )
    poll_s: float = Field(default=0.02, gt=0, description="time between two looks at a file that still grows")
    swmr: SwmrMode = Field(
        default="auto",
        description="how HDF5 files are read while they grow (single-writer multiple-reader access). "
        "auto: as the documents say, or the other way where that fails; always; "
        "never: open changed files again",
    )
    open_files: int = Field(default=8, ge=1, le=512, description="most HDF5 files kept open at a time")
