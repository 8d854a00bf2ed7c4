"""Every line that is written while a scan is worked on carries its uid and the stage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import structlog

from streamlcn.compose import make_parts
from streamlcn.errors import StoreFailed
from streamlcn.model import Scan, ScanStarted
from streamlcn.pipeline import Parts, Router
from streamlcn.ports import ScanResult
from streamlcn.telemetry import EventTelemetry
from tests.service.rod import profile


class Notes:
    """A store that is away and notes what a line of the log would carry."""

    seen: Mapping[str, Any]

    def open(self, *_: object) -> ScanResult:
        self.seen = dict(structlog.contextvars.get_contextvars())
        raise StoreFailed("away")

    def close(self) -> None:
        return


def test_uid_and_stage_are_bound_while_they_hold(tmp_path: Path) -> None:
    told: list[Mapping[str, Any]] = []
    made = make_parts(profile(tmp_path), telemetry=EventTelemetry(told.append), emit=told.append)
    store = Notes()
    parts = Parts(**{name: getattr(made, name) for name in Parts.__slots__} | {"store": store})
    scan = Scan(uid="3f2a", projection_count=4, detector_shape=(8, 8), voxel_size_um=0.1)
    Router(parts).handle(ScanStarted(scan=scan))
    assert store.seen == {"scan_uid": "3f2a", "stage": "write"}
    assert structlog.contextvars.get_contextvars() == {}
    assert [event["runbook"] for event in told if event["event"] == "warning"] == ["store"]
