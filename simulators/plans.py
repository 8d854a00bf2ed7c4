"""Bluesky plans of tomography scans, in every shape of `simulators.plan_shapes`."""

# mypy: allow-untyped-calls
# (bluesky says that it is typed, but parts of it are not)

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
import numpy as np
from bluesky.utils import Msg
from ophyd_async.core import InOut, TriggerInfo
from ophyd_async.plan_stubs import ensure_connected

from simulators.flights import fly
from simulators.hutch import SAMPLE_OUT_MM
from simulators.plan_shapes import Metadata, PlanShape
from simulators.rig import Rig
from simulators.scene import Role, Scene, Segment, grouped
from simulators.stacks import take_stack
from simulators.stream_camera import StreamDetector

Plan: TypeAlias = Generator[Msg, Any, Any]
AfterFrame: TypeAlias = Callable[[int, int], Plan]
"""Called with how many projections are taken and how many will be; its messages run before the next frame."""


@dataclass
class Stopwatch:
    """Seconds spent in each phase, and the wall clock at the last projection (seconds since the epoch)."""

    seconds: dict[Role, float] = field(default_factory=dict)
    last_projection_at: float | None = None

    def add(self, role: Role, seconds: float) -> None:
        """Add to a phase."""
        self.seconds[role] = self.seconds.get(role, 0.0) + seconds
        if role == "projection":
            self.last_projection_at = time.time()


def no_pause(taken: int, total: int) -> Plan:  # noqa: ARG001
    """Do nothing between frames."""
    yield from bps.null()


@dataclass(kw_only=True)
class Tomography:
    """One scan's plan: call it and give the result to a RunEngine.

    Parameters
    ----------
    metadata
        Start-document keys beyond, or instead of, the shape's own.
    after_frame
        What happens between projections.
    """

    rig: Rig
    scene: Scene
    shape: PlanShape
    mode: str = "step"
    metadata: Metadata = field(default_factory=dict)
    after_frame: AfterFrame = no_pause
    watch: Stopwatch = field(default_factory=Stopwatch)

    def __call__(self) -> Plan:
        """Connect the devices, take all frames, leave the hutch safe."""
        yield from ensure_connected(*self.rig.to_connect)
        self.rig.hutch.begin_scan()
        scan = self._two_runs() if self.shape.has_own_reference_run else self._one_run(self._segments)
        return (yield from bpp.finalize_wrapper(scan, self._make_safe()))

    @property
    def _segments(self) -> tuple[Segment, ...]:
        order = self.shape.order
        return self.scene.segments if order is None else grouped(self.scene.segments, order)

    def _two_runs(self) -> Plan:
        references = [part for part in self._segments if part.role != "projection"]
        projections = [part for part in self._segments if part.role == "projection"]
        if not references:
            yield from self._one_run(projections)
            return
        uid = yield from self._run(
            references,
            {
                "plan_name": f"{self.shape.plan_name}_dark_flat",
                "scan_type": "dark_flat",
                "mode": "tomo_dark_flat",
                "detectors": [self.shape.camera],
            },
        )
        yield from self._one_run(projections, {"current_dark_flat_scan_uid": uid})

    def _one_run(self, segments: Any, more: Metadata | None = None) -> Plan:
        own = self.shape.start(self.scene, self.shape.camera)
        metadata = {"plan_name": self.shape.plan_name, **own, **(more or {}), **self.metadata}
        yield from self._run(segments, metadata)

    def _run(self, segments: Any, metadata: Metadata) -> Plan:
        """Take ``segments`` as one run; returns its uid."""
        run = bpp.run_wrapper(self._in_order(segments), md=metadata)
        if not self.shape.is_stacked:
            run = bpp.stage_wrapper(run, [self.rig.camera])
        return (yield from run)

    def _in_order(self, segments: Any) -> Plan:
        if self.shape.has_monitor:
            yield from self._read_baseline()
        for segment in segments:
            begun = time.monotonic()
            yield from set_beam(self.rig, segment.role)
            yield from self._take(segment)
            self.watch.add(segment.role, time.monotonic() - begun)
        if self.shape.has_monitor:
            yield from self._read_baseline()

    def _take(self, planned: Segment) -> Plan:
        segment = replace(planned, angles_rad=self.rig.hutch.kept(planned.angles_rad))
        if not len(segment):
            return
        stream = self.shape.streams[segment.role]
        is_scan = segment.role == "projection"
        if self.shape.is_stacked:
            yield from take_stack(self.rig, stream, segment, monitored=self.shape.has_monitor and is_scan)
            if is_scan:
                yield from self.after_frame(len(segment), len(segment))
        elif self.mode == "fly" and is_scan:
            recorders = [self.rig.encoder] if self.shape.has_encoder else []
            total = len(segment)
            yield from fly(self.rig, stream, segment, recorders, lambda taken: self.after_frame(taken, total))
        else:
            yield from self._step(stream, segment, is_scan=is_scan)

    def _step(self, stream: str, segment: Segment, *, is_scan: bool) -> Plan:
        if isinstance(self.rig.camera, StreamDetector):
            yield from bps.prepare(
                self.rig.camera, TriggerInfo(exposure_timeout=self.rig.patience_s), wait=True
            )
        for taken, angle_deg in enumerate(np.rad2deg(segment.angles_rad).tolist(), start=1):
            if is_scan:
                yield from bps.checkpoint()
                yield from bps.mv(self.rig.rotation, angle_deg)
            yield from bps.trigger_and_read([self.rig.camera, self.rig.rotation], name=stream)
            if is_scan:
                yield from self.after_frame(taken, len(segment))

    def _read_baseline(self) -> Plan:
        yield from bps.create(name="baseline")
        yield from bps.read(self.rig.microscope)
        yield from bps.save()

    def _make_safe(self) -> Plan:
        yield from set_beam(self.rig, "dark")


def set_beam(rig: Rig, role: Role) -> Plan:
    """Open or close the shutter and drive the sample in or out, as frames of ``role`` need it."""
    yield from bps.mv(rig.sample_x, SAMPLE_OUT_MM if role == "flat" else 0.0)
    yield from bps.mv(rig.shutter, InOut.IN if role == "dark" else InOut.OUT)
