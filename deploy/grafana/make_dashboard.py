"""Write the Grafana dashboard to standard output; ``streamlcn.json`` beside this file is its output."""

from __future__ import annotations

import json
import sys
from typing import Any

STAGE_P95 = "histogram_quantile(0.95, sum by (le, stage) (rate({}_bucket[5m])))"
ROWS: list[tuple[str, str, str, str]] = [
    # title, unit, kind, expressions separated by ;
    ("Scans under way", "none", "stat", "streamlcn_scan_active"),
    ("Progress", "percentunit", "stat", "streamlcn_scan_progress_ratio"),
    ("Scans by outcome, 24 h", "none", "stat",
     "sum by (outcome) (increase(streamlcn_scans_total[24h]))"),
    ("Subscribed; store degraded", "none", "stat",
     "streamlcn_subscriber_connected; streamlcn_store_degraded"),
    ("Frames a second", "cps", "timeseries", "rate(streamlcn_frames_received_total[1m])"),
    ("Frames missing or dropped", "none", "timeseries",
     "sum by (reason) (increase(streamlcn_frames_missing_total[5m])); "
     "sum by (outcome) (increase(streamlcn_documents_backfilled_total[5m])); "
     "increase(streamlcn_frames_dropped_total[5m])"),
    ("Time per piece of work, 95th percentile", "s", "timeseries",
     STAGE_P95.format("streamlcn_stage_duration_seconds")),
    ("Queues", "none", "timeseries", "streamlcn_queue_depth; streamlcn_lag_documents"),
    ("Receive queue", "percentunit", "timeseries",
     "streamlcn_receive_queue_bytes / streamlcn_receive_queue_capacity_bytes"),
    ("Last projection to readable result, median", "s", "timeseries",
     "histogram_quantile(0.5, sum by (le) (rate(streamlcn_result_latency_seconds_bucket[1h])))"),
    ("Behind the scan; longest round of the receiving loop", "s", "timeseries",
     "streamlcn_lag_seconds; streamlcn_loop_stall_seconds"),
    ("LCN porosity", "percentunit", "timeseries", "streamlcn_lcn_porosity_ratio"),
    ("Centre of rotation", "none", "timeseries", "streamlcn_rotation_center_pixels"),
    ("Unlike the training data", "none", "timeseries", "streamlcn_ood_score"),
    ("Spool and journal", "bytes", "timeseries", "streamlcn_spool_bytes; streamlcn_journal_bytes"),
    ("Free disk", "bytes", "timeseries", "streamlcn_disk_free_bytes"),
    ("Memory of devices and of the worker", "bytes", "timeseries",
     "streamlcn_gpu_memory_used_bytes; streamlcn_gpu_memory_total_bytes; streamlcn_worker_resident_bytes"),
    ("Devices at work", "percentunit", "timeseries", "streamlcn_gpu_utilization_ratio"),
    ("Requests to tiled", "cps", "timeseries", "sum by (outcome) (rate(streamlcn_tiled_requests_total[5m]))"),
    ("Time per request to tiled, 95th percentile", "s", "timeseries",
     "histogram_quantile(0.95, sum by (le) (rate(streamlcn_tiled_request_duration_seconds_bucket[5m])))"),
    ("Classes of the last volume", "percentunit", "timeseries", "streamlcn_mask_class_ratio"),
    ("Worker deaths, documents rejected or dropped", "none", "timeseries",
     "sum by (reason) (increase(streamlcn_worker_restarts_total[1h])); "
     "sum by (reason) (increase(streamlcn_documents_rejected_total[1h])); "
     "increase(streamlcn_documents_dropped_total[1h])"),
    ("Workers of the cluster at work", "none", "timeseries",
     "streamlcn_compute_workers; sum by (stage) (rate(streamlcn_compute_seconds_total[1m])); "
     "increase(streamlcn_compute_fallbacks_total[1h])"),
    ("What workers read and write", "Bps", "timeseries",
     "sum by (direction) (rate(streamlcn_compute_bytes_total[1m]))"),
    ("Model", "none", "table", "streamlcn_model_info"),
]  # fmt: skip


def panel(number: int, title: str, unit: str, kind: str, expressions: str) -> dict[str, Any]:
    """Return one panel of a grid three wide."""
    return {
        "id": number + 1,
        "title": title,
        "type": kind,
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
        "gridPos": {"x": 8 * (number % 3), "y": 7 * (number // 3), "w": 8, "h": 7},
        "fieldConfig": {"defaults": {"unit": unit}, "overrides": []},
        "targets": [
            {"refId": chr(65 + index), "expr": expression.strip()}
            for index, expression in enumerate(expressions.split(";"))
        ],
    }


def dashboard() -> dict[str, Any]:
    """Return the dashboard as Grafana imports it."""
    source = {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"}
    return {
        "uid": "streamlcn",
        "title": "streamlcn",
        "tags": ["tomography"],
        "schemaVersion": 39,
        "refresh": "10s",
        "time": {"from": "now-3h", "to": "now"},
        "templating": {"list": [source]},
        "panels": [panel(number, *row) for number, row in enumerate(ROWS)],
    }


if __name__ == "__main__":
    json.dump(dashboard(), sys.stdout, indent=1)
    sys.stdout.write("\n")
