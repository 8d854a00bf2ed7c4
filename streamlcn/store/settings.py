"""What a profile can say about where results go. Light: values only."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from streamlcn.settings import Settings

__all__ = ["StoreSettings"]


class StoreSettings(Settings):
    """A tiled server, and what happens while it is away."""

    backend: Literal["tiled", "memory"] = Field(
        default="tiled", description="memory: results are gone with the process; for trials"
    )
    uri: str = Field(default="http://localhost:8000", description="address of the tiled server")
    root: tuple[str, ...] = Field(
        default=("streamlcn",), description="containers below the server's root under which results go"
    )
    api_key_env: str = Field(
        default="STREAMLCN_TILED_API_KEY", description="environment variable that holds the API key"
    )
    api_key_file: Path | None = Field(
        default=None, description="file that holds the API key; looked at when the variable is not set"
    )
    access_tags: tuple[str, ...] = Field(
        default=(), description="tags for new nodes; some servers answer 403 without"
    )
    spool_dir: Path | None = Field(
        default=None, description="where results wait while tiled is away; by default in the state folder"
    )
    timeout_s: float = Field(default=30.0, gt=0, description="longest time one request may take")
    retry_s: float = Field(default=15.0, gt=0, description="after tiled failed, time until it is tried again")
    block_mb: float = Field(
        default=16.0, gt=0, le=64, description="size of the blocks that arrays are sent and stored in"
    )
    connections: int = Field(
        default=1, ge=1, le=8, description="blocks under way at a time; with SQLite more are slower"
    )
