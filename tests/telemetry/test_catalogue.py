"""Names follow the rule, series exist from the start, and nothing a sender says can raise."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

import streamlcn
from streamlcn.ports import Telemetry
from streamlcn.telemetry import CATALOGUE, STAGES, EventTelemetry, NullTelemetry, PrometheusTelemetry


def sample(telemetry: PrometheusTelemetry, name: str, **labels: str) -> float | None:
    return telemetry.registry.get_sample_value(name, labels)


@pytest.mark.parametrize("metric", CATALOGUE.values(), ids=lambda metric: metric.what)
def test_names_by_rule(metric):
    assert re.fullmatch(r"streamlcn_[a-z]+(_[a-z]+)+", metric.name)
    assert metric.name.endswith("_total") == (metric.kind == "counter")
    assert not {"uid", "scan_uid", "run"} & set(metric.labels)
    assert metric.help.endswith(".")


def test_every_closed_series_is_there_before_anything_happens():
    telemetry = PrometheusTelemetry()
    assert sample(telemetry, "streamlcn_scans_total", outcome="failed") == 0
    assert sample(telemetry, "streamlcn_frames_missing_total", reason="gap") == 0
    for stage in STAGES[1:]:
        assert sample(telemetry, "streamlcn_stage_duration_seconds_count", stage=stage) == 0
    exposed = {family.name for family in text_string_to_metric_families(telemetry.render().decode())}
    open_sets = {m.what for m in CATALOGUE.values() if m.labels and not all(m.labels.values())}
    for what, metric in CATALOGUE.items():
        assert metric.name.removesuffix("_total") in exposed or what in open_sets


def test_the_port_is_kept_and_both_ways_count_the_same():
    ticks = iter([10.0, 12.5, 10.0, 12.5])
    direct = PrometheusTelemetry(wall_s=lambda: 1000.0, elapsed_s=lambda: next(ticks))
    there = PrometheusTelemetry(wall_s=lambda: 1000.0)
    sent = EventTelemetry(there.apply, elapsed_s=lambda: next(ticks))
    for telemetry in (direct, sent):
        port: Telemetry = telemetry
        with port.timed("segment"):
            port.count("frames_received", 3)
        port.count("scans", outcome="complete")
        port.level("scan_active", 2)
    for telemetry in (direct, there):
        assert sample(telemetry, "streamlcn_stage_duration_seconds_sum", stage="segment") == 2.5
        assert sample(telemetry, "streamlcn_stage_heartbeat_timestamp_seconds", stage="segment") == 1000.0
        assert sample(telemetry, "streamlcn_frames_received_total") == 3
        assert sample(telemetry, "streamlcn_scans_total", outcome="complete") == 1
        assert sample(telemetry, "streamlcn_scan_active") == 2
    with NullTelemetry().timed("segment"):
        NullTelemetry().count("anything")


def test_a_stage_that_fails_is_timed_and_the_error_goes_on():
    telemetry = PrometheusTelemetry()
    with pytest.raises(ZeroDivisionError), telemetry.timed("write"):
        _ = 1 / 0
    assert sample(telemetry, "streamlcn_stage_duration_seconds_count", stage="write") == 1


@pytest.mark.parametrize(
    ("say", "reason"),
    [
        (lambda t: t.count("no_such_thing"), "unknown_metric"),
        (lambda t: t.count("scan_active"), "unknown_metric"),
        (lambda t: t.level("scan_active", 1, uid="3f2a"), "unknown_metric"),
        (lambda t: t.count("scans"), "unknown_metric"),
        (lambda t: t.apply({"event": "nonsense"}), "unknown"),
        (lambda t: t.apply({}), "unknown"),
        (lambda t: t.apply({"event": "timed", "stage": "write", "seconds": -1}), "malformed"),
        (lambda t: t.apply(["event"]), "malformed"),
    ],
)
def test_what_is_not_understood_is_counted(say, reason):
    telemetry = PrometheusTelemetry()
    say(telemetry)
    assert sample(telemetry, "streamlcn_events_rejected_total", reason=reason) == 1


@settings(max_examples=25)
@given(st.text(max_size=30), st.floats(), st.sampled_from(["scans", "frames_missing", "queue_depth"]))
def test_no_label_value_makes_a_new_series(value, amount, what):
    telemetry = PrometheusTelemetry()
    (label,) = CATALOGUE[what].labels
    before = telemetry.render().count(b"\n")
    for name in (value, value + "2"):
        telemetry.count(what, amount, **{label: name})
        telemetry.level(what, amount, **{label: name})
    assert telemetry.render().count(b"\n") <= before + 2  # at most one series 'other' and its birth


def test_events_become_levels():
    telemetry = PrometheusTelemetry(wall_s=lambda: 500.0)
    for event in (
        {"event": "scan", "uid": "a", "phase": "acquiring", "received": 30, "expected": 120,
         "started_s": 7.0},
        {"event": "centre", "pixels": 101.5, "stderr_pixels": None, "state": "final"},
        {"event": "morphometry", "provisional": False, "values": {"lcn": {"porosity": 0.021}}},
        {"event": "model", "name": "old", "sha256": "00"},
        {"event": "model", "name": "new", "sha256": "11"},
        {"event": "ood", "score": 0.97, "flag": True},
        {"event": "store", "spooled": 4, "spooled_bytes": 2048, "degraded": True},
        {"event": "lag", "documents": 12, "seconds": 3.5},
        {"event": "stage", "stage": "correct", "queue": 7},
        {"event": "request", "outcome": "refused", "seconds": 0.25},
        {"event": "ingest", "connected": True, "last_document_s": 499.0, "journal_bytes": 10},
        {"event": "result", "uid": "a", "status": "partial", "completeness": 0.9,
         "seconds_after_last_projection": 2.0},
    ):  # fmt: skip
        telemetry.apply(event)
    expected = {
        "streamlcn_scan_progress_ratio": 0.25, "streamlcn_scan_start_timestamp_seconds": 7.0,
        "streamlcn_rotation_center_pixels": 101.5, "streamlcn_rotation_center_final": 1,
        "streamlcn_ood_score": 0.97, "streamlcn_ood_flagged": 1, "streamlcn_spool_items": 4,
        "streamlcn_store_degraded": 1, "streamlcn_subscriber_connected": 1,
        "streamlcn_last_document_timestamp_seconds": 499.0, "streamlcn_scan_completeness_ratio": 0.9,
        "streamlcn_result_latency_seconds_sum": 2.0, "streamlcn_spool_bytes": 2048,
        "streamlcn_lag_documents": 12, "streamlcn_lag_seconds": 3.5,
        "streamlcn_tiled_request_duration_seconds_sum": 0.25,
    }  # fmt: skip
    assert {name: sample(telemetry, name) for name in expected} == expected
    assert math.isnan(sample(telemetry, "streamlcn_rotation_center_stderr_pixels"))
    assert sample(telemetry, "streamlcn_lcn_porosity_ratio", state="final") == 0.021
    assert math.isnan(sample(telemetry, "streamlcn_lcn_porosity_ratio", state="provisional"))
    assert sample(telemetry, "streamlcn_queue_depth", queue="correct") == 7
    assert sample(telemetry, "streamlcn_queue_depth", queue="write") == 4
    assert sample(telemetry, "streamlcn_tiled_requests_total", outcome="refused") == 1
    assert sample(telemetry, "streamlcn_events_rejected_total", reason="malformed") == 0
    assert sample(telemetry, "streamlcn_model_info", model="new", sha256="11") == 1
    assert sample(telemetry, "streamlcn_model_info", model="old", sha256="00") is None
    assert sample(telemetry, "streamlcn_last_result_timestamp_seconds", product="result") == 500.0


def test_no_metric_is_an_orphan():
    rooms = Path(streamlcn.__file__).parent
    sources = [path.read_text("utf-8") for path in rooms.rglob("*.py") if path.name != "_catalogue.py"]
    fed = set(re.findall(r'"([a-z_]+)"', "\n".join(sources)))
    assert sorted(set(CATALOGUE) - fed) == []
