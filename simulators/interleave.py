"""A second scan whose documents come between those of the first."""

# mypy: allow-untyped-calls
# (bluesky says that it is typed, but parts of it are not)

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.preprocessors as bpp
import numpy as np

from simulators.classic_camera import InlineCamera
from simulators.plan_shapes import Metadata
from simulators.plans import AfterFrame, Plan, no_pause, set_beam
from simulators.rig import Rig
from simulators.scene import Role

_KEY = "second run"
_SECOND: tuple[Role, ...] = ("dark", "dark", "flat", "flat", *("projection",) * 8)


def interleaved(
    rig: Rig, metadata: Metadata, *, camera: str, dtype: np.dtype[Any], streams: dict[Role, str]
) -> AfterFrame:
    """Return what takes one frame of a second, small scan after each projection of the first.

    The second scan is complete (2 darks, 2 flats, 8 projections, inline) if the first has at least 12
    projections; otherwise it takes as many frames as the first has projections.
    """
    second = InlineCamera(rig.hutch, dtype=dtype, name=camera)
    angles = np.arange(8) * np.pi / 8
    start = {
        **metadata,
        "projection_count": 8,
        "flat_count": 2,
        "dark_count": 2,
        "angles_rad": angles.tolist(),
        "angle_start_deg": 0.0,
        "angle_stop_deg": float(np.rad2deg(angles[-1])),
        "sample_name": "a second sample",
    }
    angles_deg: Sequence[float] = [0.0] * 4 + np.rad2deg(angles).tolist()

    def frame(number: int) -> Plan:
        role = _SECOND[number]
        yield from set_beam(rig, role)
        yield from bps.mv(rig.rotation, angles_deg[number])
        yield from bps.trigger_and_read([second, rig.rotation], name=streams[role])
        yield from set_beam(rig, "projection")

    def after(taken: int, total: int) -> Plan:
        last = min(total, len(_SECOND))
        if taken > last:
            yield from no_pause(taken, total)
            return
        if taken == 1:
            yield from bpp.set_run_key_wrapper(bps.open_run(start), _KEY)
        yield from bpp.set_run_key_wrapper(frame(taken - 1), _KEY)
        if taken == last:
            yield from bpp.set_run_key_wrapper(bps.close_run(), _KEY)

    return after
