"""What a profile can say about the live page. Light: values only."""

from __future__ import annotations

from pydantic import Field

from streamlcn.settings import Settings

__all__ = ["WebSettings"]


class WebSettings(Settings):
    """Where the live page, the probes and the telemetry are served. All of it is read-only."""

    host: str = Field(
        default="127.0.0.1",
        description="Interface to listen on; 0.0.0.0 shows the page to the whole network, without a login.",
    )
    port: int = Field(default=0, ge=0, le=65535, description="0: a free one; the log says which.")
    porosity_band: tuple[float, float] = Field(
        default=(0.01, 0.04), description="LCN porosity that the literature leads one to expect, as ratios."
    )
    page_hz: float = Field(default=5.0, gt=0, le=30, description="Most updates a second that a browser gets.")
