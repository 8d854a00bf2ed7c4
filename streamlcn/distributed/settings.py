"""What a profile can say about where scans are computed. Light: values only."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from streamlcn.settings import Settings

__all__ = ["ComputeSettings", "DaskSettings", "LocalSettings", "TlsSettings"]


class LocalSettings(Settings):
    """In the daemon's own worker process."""

    backend: Literal["local"] = "local"


class TlsSettings(Settings):
    """Files that prove who we are to the scheduler, and it to us."""

    ca_file: Path = Field(description="certificates that are trusted, PEM")
    cert_file: Path = Field(description="our certificate, PEM")
    key_file: Path = Field(description="its key, PEM")


class DaskSettings(Settings):
    """By the workers of a dask scheduler, which all see one shared folder."""

    backend: Literal["dask"] = "dask"
    scheduler: str = Field(
        pattern=r"^[^\s/]+:\d+$", description="host and port of the scheduler, such as gpu1:8786"
    )
    tls: TlsSettings | None = Field(
        default=None,
        description="certificates, where the scheduler speaks TLS; null: plain TCP, and who reaches the "
        "scheduler can run programs there",
    )
    shared_dir: Path = Field(
        description="folder that this computer and all workers see under the same path; scans under way need "
        "4 bytes a pixel and 5 a voxel there"
    )
    slab_rows: int = Field(
        default=64, ge=1, description="most slices per task; does not change a result, but a worker's memory"
    )
    patience_s: float = Field(
        default=60.0, gt=0, description="time without any worker after which this computer goes on alone"
    )
    connect_s: float = Field(
        default=10.0, gt=0, description="longest time to reach the scheduler at the start of a scan"
    )
    resources: dict[str, float] = Field(
        default_factory=dict,
        description="what a task takes of a worker's resources, such as {GPU: 1}, if workers state any",
    )

    @property
    def address(self) -> str:
        """The scheduler as dask names it."""
        return f"{'tcp' if self.tls is None else 'tls'}://{self.scheduler}"


ComputeSettings: TypeAlias = Annotated[LocalSettings | DaskSettings, Field(discriminator="backend")]
