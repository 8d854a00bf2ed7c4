"""One event that holds all frames of a stream, taken while the stage turns."""

# mypy: allow-untyped-calls
# (bluesky says that it is typed, but parts of it are not)

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
import numpy as np
from bluesky.utils import Msg
from ophyd_async.core import TriggerInfo

from simulators.classic_camera import ClassicCamera
from simulators.rig import Rig
from simulators.scene import Segment


def take_stack(rig: Rig, stream: str, segment: Segment, *, monitored: bool) -> Generator[Msg, Any, None]:
    """Take ``segment`` as one event of ``stream``, with the time of each frame beside it.

    The camera runs freely; the stage is at the segment's next angle whenever a frame begins. ``monitored``:
    every position of the stage becomes an event of a stream of its own meanwhile.
    """
    angles_deg = np.rad2deg(segment.angles_rad).tolist()
    rig.camera.move_before_frames(lambda number: rig.place_rotation(angles_deg[number]))
    if isinstance(rig.camera, ClassicCamera):
        rig.camera.num_images = len(segment)
    event = bpp.stage_wrapper(_event(rig, stream, len(segment)), [rig.camera])
    if monitored:
        yield from bps.monitor(rig.rotation, name=f"{rig.rotation.name}_monitor")
    yield from bpp.finalize_wrapper(event, _forget(rig, monitored=monitored))


def _event(rig: Rig, stream: str, count: int) -> Generator[Msg, Any, None]:
    if not isinstance(rig.camera, ClassicCamera):
        info = TriggerInfo(collections_per_event=count, exposure_timeout=rig.patience_s)
        yield from bps.prepare(rig.camera, info, wait=True)
    rig.camera.taken_at_s()
    yield from bps.trigger(rig.camera, wait=True)
    rig.frame_times.show(rig.camera.taken_at_s())
    yield from bps.create(name=stream)
    for device in (rig.camera, rig.frame_times):
        yield from bps.read(device)
    yield from bps.save()


def _forget(rig: Rig, *, monitored: bool) -> Generator[Msg, Any, None]:
    rig.camera.move_before_frames(None)
    if monitored:
        yield from bps.unmonitor(rig.rotation)
