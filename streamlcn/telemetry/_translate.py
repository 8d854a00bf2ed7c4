"""From an event to what it means in the catalogue. No state, no clock, no Prometheus."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from streamlcn.telemetry import events

__all__ = ["Reading", "readings"]


@dataclass(frozen=True, slots=True)
class Reading:
    """One change of one metric. ``replaces`` drops the other series of the metric first."""

    kind: Literal["counter", "gauge", "histogram"]
    what: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)
    replaces: bool = False


def readings(event: events.Event, now_s: float) -> Iterator[Reading]:
    """Yield what ``event`` changes; ``now_s`` is Unix time."""
    match event:
        case events.Count():
            yield Reading("counter", event.what, event.amount, event.labels)
        case events.Level():
            yield Reading("gauge", event.what, event.value, event.labels)
        case events.Timed():
            yield Reading("histogram", "stage_duration_seconds", event.seconds, {"stage": event.stage})
            yield _heart(event.stage, now_s)
        case events.Beat():
            yield _heart(event.stage, now_s)
        case events.Stage():
            yield Reading("gauge", "queue_depth", event.queue, {"queue": event.stage})
        case events.Preview():
            yield _readable("preview", now_s)
        case events.ScanPhase():
            yield from _scan(event, now_s)
        case events.Request():
            yield Reading("counter", "tiled_requests", 1, {"outcome": event.outcome})
            yield Reading("histogram", "tiled_request_duration_seconds", event.seconds)
        case events.Ingest() | events.Lag() | events.Store():
            yield from _plumbing(event, now_s)
        case _:
            yield from _quality(event, now_s)


def _scan(event: events.ScanPhase, now_s: float) -> Iterator[Reading]:
    yield Reading("gauge", "frames_expected", event.expected or 0)
    if event.expected:
        yield Reading("gauge", "scan_progress_ratio", event.received / event.expected)
    if event.started_s or event.received == 0:
        yield Reading("gauge", "scan_start_timestamp_seconds", event.started_s or now_s)


def _plumbing(event: events.Ingest | events.Lag | events.Store, now_s: float) -> Iterator[Reading]:
    match event:
        case events.Store():
            yield Reading("gauge", "spool_items", event.spooled)
            yield Reading("gauge", "spool_bytes", event.spooled_bytes)
            yield Reading("gauge", "store_degraded", float(event.degraded))
            yield Reading("gauge", "queue_depth", event.spooled, {"queue": "write"})
        case events.Lag():
            yield Reading("gauge", "lag_documents", event.documents)
            yield Reading("gauge", "lag_seconds", event.seconds)
        case events.Ingest():
            yield Reading("gauge", "subscriber_connected", float(event.connected))
            yield _heart("ingest", now_s)
            yield Reading("gauge", "journal_bytes", event.journal_bytes)
            if event.last_document_s is not None:
                yield Reading("gauge", "last_document_timestamp_seconds", event.last_document_s)


def _quality(event: events.Event, now_s: float) -> Iterator[Reading]:
    match event:
        case events.Centre():
            yield Reading("gauge", "rotation_center_pixels", _number(event.pixels))
            yield Reading("gauge", "rotation_center_stderr_pixels", _number(event.stderr_pixels))
            yield Reading("gauge", "rotation_center_final", float(event.state == "final"))
        case events.Ood():
            yield Reading("gauge", "ood_score", _number(event.score))
            yield Reading("gauge", "ood_flagged", float(event.flag))
        case events.Morphometry():
            lcn = event.values.get("lcn")
            porosity = lcn.get("porosity") if isinstance(lcn, dict) else None
            if isinstance(porosity, int | float):
                state = "provisional" if event.provisional else "final"
                yield Reading("gauge", "lcn_porosity_ratio", porosity, {"state": state})
        case events.Model():
            labels = {"model": event.name, "sha256": event.sha256}
            yield Reading("gauge", "model_info", 1, labels, replaces=True)
        case events.Result():
            yield _readable("result", now_s)
            if event.completeness is not None:
                yield Reading("gauge", "scan_completeness_ratio", event.completeness)
            if event.seconds_after_last_projection is not None:
                yield Reading("histogram", "result_latency_seconds", event.seconds_after_last_projection)


def _heart(stage: str, now_s: float) -> Reading:
    return Reading("gauge", "stage_heartbeat_timestamp_seconds", now_s, {"stage": stage})


def _readable(product: str, now_s: float) -> Reading:
    return Reading("gauge", "last_result_timestamp_seconds", now_s, {"product": product})


def _number(value: float | None) -> float:
    return math.nan if value is None else value
