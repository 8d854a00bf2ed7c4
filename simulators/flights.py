"""Fly scans as plans: no event per frame waits for the RunEngine; what there is, is collected on the way."""

# mypy: allow-untyped-calls
# (bluesky says that it is typed, but parts of it are not)

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
import numpy as np
from bluesky.utils import Msg, short_uid
from ophyd_async.core import DetectorTrigger, TriggerInfo

from simulators.classic_camera import ClassicCamera
from simulators.flyers import ClassicFlyer, PulseBox
from simulators.rig import Rig
from simulators.scene import Segment
from simulators.stream_camera import StreamDetector

_COLLECT_EVERY_S = 0.25

Plan = Generator[Msg, Any, Any]
AfterCollect = Callable[[int], Plan]


def fly(
    rig: Rig, stream: str, segment: Segment, recorders: Sequence[StreamDetector], after: AfterCollect
) -> Plan:
    """Take ``segment`` in flight into ``stream``; ``after`` is told how many frames are collected.

    ``recorders`` get the camera's pulses too and become data keys of the same stream.
    """
    if isinstance(rig.camera, ClassicCamera):
        yield from _fly_classic(rig, rig.camera, stream, segment, after)
    else:
        yield from _fly_streams(rig, stream, segment, [rig.camera, *recorders], after)


def _fly_streams(
    rig: Rig, stream: str, segment: Segment, detectors: Sequence[StreamDetector], after: AfterCollect
) -> Plan:
    box = PulseBox(rig.hutch, rig.rotation, detectors)
    # the camera is staged already; what is staged here ends with the flight, however that ends
    yield from bpp.stage_wrapper(_flight(rig, box, stream, segment, detectors, after), [box, *detectors[1:]])


def _flight(
    rig: Rig,
    box: PulseBox,
    stream: str,
    segment: Segment,
    detectors: Sequence[StreamDetector],
    after: AfterCollect,
) -> Plan:
    info = TriggerInfo(
        number_of_events=len(segment),
        trigger=DetectorTrigger.EXTERNAL_EDGE,
        exposure_timeout=rig.patience_s,
    )
    for detector in detectors:
        yield from bps.prepare(detector, info, wait=True)
    yield from bps.prepare(box, np.rad2deg(segment.angles_rad).tolist(), wait=True)
    yield from bps.declare_stream(*detectors, name=stream, collect=True)
    before = detectors[0].frames_taken
    yield from bps.kickoff_all(*detectors, wait=True)
    yield from bps.kickoff(box, wait=True)
    group = short_uid("complete")
    yield from bps.complete_all(box, *detectors, group=group, wait=False)
    done = False
    while not done:
        done = yield from bps.wait(group=group, timeout=_COLLECT_EVERY_S, error_on_timeout=False)
        yield from bps.collect(*detectors, name=stream, return_payload=False)
        yield from after(detectors[0].frames_taken - before)


def _fly_classic(rig: Rig, camera: ClassicCamera, stream: str, segment: Segment, after: AfterCollect) -> Plan:
    flyer = ClassicFlyer(
        camera,
        rig.rotation,
        np.rad2deg(segment.angles_rad).tolist(),
        loop=rig.loop,
        stream=stream,
    )
    # the last frame must be written before the camera's file is closed, however the flight ends
    yield from bpp.finalize_wrapper(_classic_flight(flyer, after), bps.wait_for([flyer.land]))


def _classic_flight(flyer: ClassicFlyer, after: AfterCollect) -> Plan:
    yield from bps.kickoff(flyer, wait=True)
    group = short_uid("complete")
    yield from bps.complete(flyer, group=group, wait=False)
    done = False
    while not done:
        done = yield from bps.wait(group=group, timeout=_COLLECT_EVERY_S, error_on_timeout=False)
        yield from bps.collect(flyer, return_payload=False)
        yield from after(flyer.collected)
