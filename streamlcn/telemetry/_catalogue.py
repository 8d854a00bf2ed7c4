"""Every telemetry name there is, in one table: the exporter, the alerts, the dashboard and the tests read it.

Base units; counters end in ``_total``; timestamps instead of ages; closed label sets, so that each series
exists from the start (a counter that is first seen at 3 never satisfies ``increase(...) > 0``). No scan uid
is a label.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from streamlcn.model import CLASS_NAMES

__all__ = ["CATALOGUE", "OTHER", "PREFIX", "QUEUES", "STAGES", "Metric"]

PREFIX = "streamlcn_"
OTHER = "other"
STAGES = ("ingest", "correct", "reconstruct", "segment", "measure", "write")
QUEUES = ("ingest", "correct", "write")

_NAMES = (
    "start", "descriptor", "event", "event_page", "resource", "datum", "datum_page",
    "stream_resource", "stream_datum", "stop", OTHER,
)  # fmt: skip
_REJECTED = ("undecodable", "unsafe", "too_large", "invalid", "orphaned", OTHER)
_OUTCOMES = ("complete", "partial", "failed", OTHER)
_SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 60.0, 120.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One row. ``labels`` maps a label to its closed set, or to () where values come from the machine."""

    kind: Literal["counter", "gauge", "histogram"]
    what: str
    help: str
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    buckets: tuple[float, ...] = ()

    @property
    def name(self) -> str:
        """The name as Prometheus shows it (a histogram's without ``_bucket``, ``_sum``, ``_count``)."""
        return PREFIX + self.what + ("_total" if self.kind == "counter" else "")


def _counter(what: str, text: str, **labels: tuple[str, ...]) -> Metric:
    return Metric(kind="counter", what=what, help=text, labels=labels)


def _gauge(what: str, text: str, **labels: tuple[str, ...]) -> Metric:
    return Metric(kind="gauge", what=what, help=text, labels=labels)


def _histogram(what: str, text: str, **labels: tuple[str, ...]) -> Metric:
    return Metric(kind="histogram", what=what, help=text, labels=labels, buckets=_SECONDS)


_TABLE = (
    # identity
    _gauge("build_info", "Version of the daemon; always 1.", version=()),
    _gauge("model_info", "The loaded network; always 1.", model=(), sha256=()),
    # ingest
    _counter("documents_received", "Documents that were journalled.", name=_NAMES),
    _counter("documents_rejected", "Documents that could not be used.", reason=_REJECTED),
    _counter("documents_dropped", "Documents that found the receive queue full and were lost."),
    _counter("documents_backfilled", "Lost documents had again, by source; frames or events given up.",
             outcome=("file", "tiled", "given_up")),
    _gauge("documents_sought", "Frames or events that were lost and are being looked for."),
    _counter("frames_received", "Projections, flats and darks whose pixels were announced."),
    _counter("frames_duplicate", "Frames announced twice."),
    _counter("frames_missing", "Frames that never came.", reason=("gap", "corrupt", OTHER)),
    _counter("frames_dropped", "Frames of a scan that had already failed or was refused."),
    _gauge("frames_expected", "Projections that the plan of the current scan names; 0 where none does."),
    _gauge("subscriber_connected", "1 while the 0MQ subscription stands."),
    _gauge("last_document_timestamp_seconds", "When the last document came."),
    _gauge("journal_bytes", "Size of the journal on disk."),
    # scan
    _gauge("scan_active", "Scans under way."),
    _gauge("scan_start_timestamp_seconds", "When the current scan began."),
    _gauge("scan_progress_ratio", "Received over expected projections of the current scan."),
    _gauge("scan_completeness_ratio", "Used over expected projections of the last result."),
    _counter("scans", "Scans that ended.", outcome=_OUTCOMES),
    _histogram("result_latency_seconds", "Last projection to readable result."),
    _gauge("last_result_timestamp_seconds", "When something new was readable.",
           product=("preview", "result")),
    # lag
    _gauge("lag_seconds", "How long the oldest document that the worker has not read has waited."),
    _gauge("lag_documents", "Documents that wait for the worker."),
    _gauge("loop_stall_seconds", "Longest round of the receiving loop in the last second."),
    # stages
    _histogram("stage_duration_seconds", "Time one piece of work took.", stage=STAGES[1:]),
    _gauge("stage_heartbeat_timestamp_seconds", "When it last beat.", stage=(*STAGES, "worker")),
    _gauge("queue_depth", "Documents before ingest, frames before correct, results before write.",
           queue=QUEUES),
    _gauge("receive_queue_bytes", "Documents received and not yet on disk."),
    _gauge("receive_queue_capacity_bytes", "Most of them that may wait."),
    _counter("events_dropped", "Operator events that the worker could not send."),
    _counter("events_rejected", "Operator events that were not understood.",
             reason=("unknown", "malformed", "unknown_metric", OTHER)),
    # worker and GPU
    _counter("worker_restarts", "Deaths of the worker; killed: by SIGKILL, mostly for want of memory.",
             reason=("exit", "signal", "killed", OTHER)),
    _gauge("worker_resident_bytes", "Memory of the worker; 0 while there is none."),
    _gauge("gpu_memory_used_bytes", "Memory of the device in use.", gpu=()),
    _gauge("gpu_memory_total_bytes", "Memory of the device.", gpu=()),
    _gauge("gpu_utilization_ratio", "Share of the time in which the device worked.", gpu=()),
    _gauge("gpu_temperature_celsius", "Temperature of the device.", gpu=()),
    # workers of a cluster
    _gauge("compute_workers", "Workers of the dask scheduler, as seen last."),
    _counter("compute_tasks", "Tasks that workers finished.", stage=("reconstruct", "segment", OTHER)),
    _counter("compute_seconds", "Time that workers needed.", stage=("reconstruct", "segment", OTHER)),
    _counter("compute_bytes", "What workers read from the shared folder and wrote there.",
             direction=("read", "written")),
    _counter("compute_fallbacks", "Stages that this computer finished alone because workers could not."),
    # quality
    _gauge("rotation_center_pixels", "Centre of rotation, 0.0 at the centre of column 0."),
    _gauge("rotation_center_stderr_pixels", "Its standard error; NaN while unknown."),
    _gauge("rotation_center_final", "1 once the centre is final."),
    _gauge("ood_score", "How unlike the training data the last volume is; NaN where nobody can tell."),
    _gauge("ood_flagged", "1 while the last volume was too unlike the training data."),
    _gauge("lcn_porosity_ratio", "LCN over bone plus LCN.", state=("provisional", "final")),
    _gauge("mask_class_ratio", "Share of the last volume's voxels.", **{"class": CLASS_NAMES}),
    # output
    _counter("tiled_requests", "Requests to tiled, repetitions included.",
             outcome=("ok", "refused", "failed")),
    _histogram("tiled_request_duration_seconds", "Time one request to tiled took."),
    _gauge("spool_items", "Results that wait for tiled."),
    _gauge("spool_bytes", "Their size on disk."),
    _gauge("store_degraded", "1 while tiled cannot be written to."),
    _gauge("disk_free_bytes", "Free space where the state folder is.", path=()),
)  # fmt: skip

CATALOGUE: Mapping[str, Metric] = {metric.what: metric for metric in _TABLE}
"""What `streamlcn.ports.Telemetry` is told → the metric."""
