"""Counts, levels and durations for Prometheus."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from itertools import product
from typing import Any, TypeAlias

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from streamlcn.ports import Clock
from streamlcn.telemetry._catalogue import CATALOGUE, OTHER, PREFIX, Metric
from streamlcn.telemetry._translate import Reading, readings
from streamlcn.telemetry.events import BadEvent, Event, parse_event

__all__ = ["PrometheusTelemetry"]

_log = structlog.get_logger(__name__)
_Instrument: TypeAlias = Counter | Gauge | Histogram


class PrometheusTelemetry:
    """The one exporter, with a registry of its own; a `streamlcn.ports.Telemetry`.

    Every series of a closed label set exists from the start. A name outside the catalogue is counted in
    ``streamlcn_events_rejected_total``, never raised. ``wall_s`` tells Unix time, for timestamps.
    """

    def __init__(self, wall_s: Clock = time.time, elapsed_s: Clock = time.perf_counter) -> None:
        self._wall_s = wall_s
        self._elapsed_s = elapsed_s
        self.registry = CollectorRegistry(auto_describe=True)
        self._instruments = {what: self._register(metric) for what, metric in CATALOGUE.items()}
        self._grumbled: set[str] = set()
        self.level("build_info", 1, version=_own_version())
        for unknown in ("rotation_center_pixels", "rotation_center_stderr_pixels", "ood_score"):
            self.level(unknown, math.nan)
        for state in ("provisional", "final"):
            self.level("lcn_porosity_ratio", math.nan, state=state)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Time a stage and beat its heart at both ends."""
        self.beat(stage)
        started = self._elapsed_s()
        try:
            yield
        finally:
            self._observe(
                Reading("histogram", "stage_duration_seconds", self._elapsed_s() - started, {"stage": stage})
            )
            self.beat(stage)

    def beat(self, stage: str, share: float | None = None) -> None:  # noqa: ARG002 - for people only
        """Note that a stage is alive."""
        self.level("stage_heartbeat_timestamp_seconds", self._wall_s(), stage=stage)

    def count(self, what: str, amount: float = 1, **labels: str) -> None:
        """Add to a counter of the catalogue."""
        self._observe(Reading("counter", what, amount, labels))

    def level(self, what: str, value: float, **labels: str) -> None:
        """Set a gauge of the catalogue."""
        self._observe(Reading("gauge", what, value, labels))

    def apply(self, event: Mapping[str, Any] | Event) -> None:
        """Take one event of the worker; what is unknown or malformed is counted and skipped."""
        try:
            known = parse_event(event)
        except BadEvent as error:
            self.count("events_rejected", reason=error.reason)
            self._grumble(str(error))
            return
        for reading in readings(known, self._wall_s()):
            self._observe(reading)

    def render(self) -> bytes:
        """Return the exposition text."""
        return generate_latest(self.registry)

    def _register(self, metric: Metric) -> _Instrument:
        names = tuple(metric.labels)
        instrument: _Instrument
        if metric.kind == "counter":
            instrument = Counter(PREFIX + metric.what, metric.help, names, registry=self.registry)
        elif metric.kind == "gauge":
            instrument = Gauge(PREFIX + metric.what, metric.help, names, registry=self.registry)
        else:
            instrument = Histogram(
                PREFIX + metric.what, metric.help, names, registry=self.registry, buckets=metric.buckets
            )
        if names and all(metric.labels.values()):
            for values in product(*metric.labels.values()):
                instrument.labels(*values)
        return instrument

    def _observe(self, reading: Reading) -> None:
        metric = CATALOGUE.get(reading.what)
        if metric is None or metric.kind != reading.kind or set(metric.labels) != set(reading.labels):
            self._unknown(reading)
            return
        instrument = self._instruments[reading.what]
        if metric.labels:
            if reading.replaces:
                instrument.clear()
            instrument = instrument.labels(**_within(metric, reading.labels))
        _ACTIONS[metric.kind](instrument, reading.value)

    def _unknown(self, reading: Reading) -> None:
        counter = self._instruments["events_rejected"]
        counter.labels(reason="unknown_metric").inc()  # type: ignore[union-attr]
        self._grumble(f"no {reading.kind} {reading.what!r} with labels {sorted(reading.labels)} is known")

    def _grumble(self, text: str) -> None:
        """Say each complaint once: events come many times a second."""
        if text not in self._grumbled and len(self._grumbled) < 100:
            self._grumbled.add(text)
            _log.warning("telemetry_not_understood", reason=text)


def _count(instrument: Any, value: float) -> None:
    if value > 0:  # a counter only grows
        instrument.inc(value)


_ACTIONS: Mapping[str, Callable[[Any, float], None]] = {
    "counter": _count,
    "gauge": lambda instrument, value: instrument.set(value),
    "histogram": lambda instrument, value: instrument.observe(value),
}


def _within(metric: Metric, labels: Mapping[str, str]) -> dict[str, str]:
    """Put a value outside a closed set under ``other``, so that no sender can make series without end."""
    kept = {}
    for name, value in labels.items():
        closed = metric.labels[name]
        kept[name] = value if not closed or value in closed else OTHER
    return kept


def _own_version() -> str:
    try:
        return version("streamlcn")
    except PackageNotFoundError:
        return "unknown"
