"""What a profile can say about telemetry. Light: values only."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from streamlcn.settings import Settings

__all__ = ["TelemetrySettings"]


class TelemetrySettings(Settings):
    """Logs, and how long silence is normal."""

    log_format: Literal["auto", "json", "console"] = Field(
        default="auto", description="auto: console on a terminal, json elsewhere"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Lines below this level are not written."
    )
    ingest_deadline_s: float = Field(
        default=15.0, gt=0, description="The receiving loop beats at least this often, scan or no scan."
    )
    worker_deadline_s: float = Field(
        default=60.0, gt=0, description="The worker's loop beats at least this often between stages."
    )
    stage_deadline_s: float = Field(
        default=900.0,
        gt=0,
        description="A stage that began must end or beat again within this; set it above the longest "
        "reconstruction or segmentation of one scan.",
    )
