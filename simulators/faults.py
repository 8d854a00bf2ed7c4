"""What goes wrong at beamlines and on networks, on purpose: each fault by its name."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import bluesky.plan_stubs as bps
import numpy as np
import numpy.typing as npt
from bluesky.utils import RequestAbort

from simulators.plan_shapes import Metadata
from simulators.plans import AfterFrame, Plan, no_pause
from simulators.publisher import DocumentPublisher
from simulators.scene import Exposer, Scene
from simulators.wire_faults import Drop, Duplicate, Garbage, Wire

_CROP = (2, 4)


class SimulatedFault(RuntimeError):
    """A scan failed because it was asked to."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Where a fault acts: on what is scanned, on the start document, between projections, on the wire."""

    scene: Callable[[Scene], Scene] = lambda scene: scene
    start: Callable[[Scene], Metadata] = lambda scene: {}  # noqa: ARG005
    after_frame: Callable[[DocumentPublisher], AfterFrame] = lambda publisher: no_pause  # noqa: ARG005
    wire: Callable[[Wire, Scene], Wire] = lambda wire, scene: wire  # noqa: ARG005
    has_second_run: bool = False


class _Dressed:
    """An exposer whose frames are changed on their way out."""

    def __init__(self, inner: Exposer, change: Callable[[npt.NDArray[Any], bool], npt.NDArray[Any]]) -> None:
        self._inner = inner
        self._change = change
        rows, columns = change(np.zeros(inner.shape, np.uint8), False).shape  # noqa: FBT003
        self.shape = (rows, columns)

    def prepare(self, angles_rad: npt.ArrayLike) -> None:
        """Pass on."""
        self._inner.prepare(angles_rad)

    def expose(
        self, *, angle_rad: float, sample_in: bool = True, shutter_open: bool = True, exposure: int
    ) -> npt.NDArray[Any]:
        """Expose and change."""
        frame = self._inner.expose(
            angle_rad=angle_rad, sample_in=sample_in, shutter_open=shutter_open, exposure=exposure
        )
        return self._change(frame, shutter_open and not sample_in)


def _without_flats(scene: Scene) -> Scene:
    return replace(scene, segments=tuple(part for part in scene.segments if part.role != "flat"))


def _with_zero_flats(scene: Scene) -> Scene:
    def change(frame: npt.NDArray[Any], is_flat: bool) -> npt.NDArray[Any]:
        return np.zeros_like(frame) if is_flat else frame

    return replace(scene, exposer=_Dressed(scene.exposer, change))


def _cropped(scene: Scene) -> Scene:
    rows, columns = _CROP
    crop = _Dressed(scene.exposer, lambda frame, _: np.ascontiguousarray(frame[rows:, columns:]))
    return replace(scene, exposer=crop)


def _with_at_least(count: int, scene: Scene) -> Scene:
    if count > scene.count("projection"):
        raise ValueError(f"cannot drop {count} of {scene.count('projection')} projections")
    return scene


def _uncropped_shape(scene: Scene) -> Metadata:
    rows, columns = scene.exposer.shape
    return {"detector_shape": [rows + _CROP[0], columns + _CROP[1]]}


def _half_way(act: Callable[[], None]) -> AfterFrame:
    """Act once, when half of the projections are taken."""

    def after(taken: int, total: int) -> Plan:
        yield from bps.null()
        if taken >= total / 2:
            act()

    return after


def _abort() -> None:
    raise RequestAbort("simulated fault: the operator stopped the scan")


def _fail() -> None:
    raise SimulatedFault("simulated fault: the rotation stage lost its encoder")


def _die(publisher: DocumentPublisher) -> None:
    """End this process as a crash would, once what it has said is on the wire: nothing after that is said."""
    publisher.close()
    os.kill(os.getpid(), signal.SIGKILL)


_FAULTS = {
    "no-flats": Fault(scene=_without_flats),
    "zero-flats": Fault(scene=_with_zero_flats),
    "abort": Fault(after_frame=lambda publisher: _half_way(_abort)),  # noqa: ARG005
    "fail": Fault(after_frame=lambda publisher: _half_way(_fail)),  # noqa: ARG005
    "killed": Fault(after_frame=lambda publisher: _half_way(lambda: _die(publisher))),
    "interleaved": Fault(has_second_run=True),
    "wrong-shape": Fault(scene=_cropped, start=_uncropped_shape),
    "wrong-angles": Fault(start=lambda scene: {"angles_rad": list(scene.angles_rad[:-3])}),
    "duplicate": Fault(wire=lambda wire, scene: Duplicate(wire)),  # noqa: ARG005
    "garbage": Fault(wire=lambda wire, scene: Garbage(wire)),  # noqa: ARG005
}
FAULT_NAMES = (*_FAULTS, "drop:N")


def fault_named(name: str | None) -> Fault:
    """Find a fault; None is none.

    Raises
    ------
    ValueError
        There is none of that name, or drop's number is not one.
    """
    if name is None:
        return Fault()
    kind, _, number = name.partition(":")
    if kind == "drop" and number.isdecimal() and int(number):
        count = int(number)
        return Fault(
            scene=lambda scene: _with_at_least(count, scene),
            wire=lambda wire, scene: Drop(wire, count, scene.count("projection")),
        )
    if name not in _FAULTS:
        raise ValueError(f"no fault named {name!r}: choose one of {', '.join(FAULT_NAMES)} (N from 1)")
    return _FAULTS[name]
