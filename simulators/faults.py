"""What goes wrong at beamlines and on networks, on purpose: each fault by its name."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import bluesky.plan_stubs as bps
from bluesky.utils import RequestAbort

from simulators import scene_faults, wire_faults, wire_losses
from simulators.plan_shapes import Metadata
from simulators.plans import AfterFrame, Plan, no_pause
from simulators.publisher import DocumentPublisher
from simulators.scene import Scene
from simulators.wire_faults import Wire

_PAUSE_S = 1.0
_FOREIGN_FILE = "/etc/hostname"
_ALL_MODES = ("step", "fly")
_ALL_ASSETS = ("inline", "resource", "stream")
_FILES = ("resource", "stream")


class SimulatedFault(RuntimeError):
    """A scan failed because it was asked to."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """Where a fault acts: on what is scanned, on the start document, between projections, on the wire.

    ``later_scene`` changes what the second and further scans take, beyond ``scene``. ``least_scans`` is how
    many it takes to show the fault, ``most_scans`` how many it leaves alive. A fault that not every way to
    scan can show names those that can, by ``plans``, ``modes`` and ``assets``.
    """

    scene: Callable[[Scene], Scene] = lambda scene: scene
    later_scene: Callable[[Scene], Scene] = lambda scene: scene
    start: Callable[[Scene], Metadata] = lambda scene: {}  # noqa: ARG005
    after_frame: Callable[[DocumentPublisher], AfterFrame] = lambda publisher: no_pause  # noqa: ARG005
    wire: Callable[[Wire, Scene], Wire] = lambda wire, scene: wire  # noqa: ARG005
    has_second_run: bool = False
    pause_s: float = 0.0
    least_scans: int = 1
    most_scans: int | None = None
    plans: tuple[str, ...] | None = None
    modes: tuple[str, ...] = _ALL_MODES
    assets: tuple[str, ...] = _ALL_ASSETS

    def refusals(self, *, plan: str, mode: str, assets: str, scans: int) -> Iterator[str]:
        """Yield why a scan cannot show the fault, and what to choose instead."""
        for option, value, possible in (
            ("--plan", plan, self.plans),
            ("--mode", mode, self.modes),
            ("--assets", assets, self.assets),
        ):
            if possible is not None and value not in possible:
                yield f"needs {option} {' or '.join(possible)}"
        if self.most_scans is not None and scans > self.most_scans:
            yield f"is for {self.most_scans} scan(s): leave --scans out"


def _half_way(act: Callable[[], Plan]) -> AfterFrame:
    """Act once, when half of the projections are taken."""
    waiting = [act]

    def after(taken: int, total: int) -> Plan:
        yield from bps.null()
        if waiting and taken >= total / 2:
            yield from waiting.pop()()

    return after


def _abort() -> Plan:
    yield from bps.null()
    raise RequestAbort("simulated fault: the operator stopped the scan")


def _fail() -> Plan:
    yield from bps.null()
    raise SimulatedFault("simulated fault: the rotation stage lost its encoder")


def _die(publisher: DocumentPublisher) -> Plan:
    """End this process as a crash would, once what it has said is on the wire: nothing after that is said."""
    yield from bps.null()
    publisher.close()
    os.kill(os.getpid(), signal.SIGKILL)


def _between(act: Callable[[], Plan]) -> Callable[[DocumentPublisher], AfterFrame]:
    return lambda publisher: _half_way(act)  # noqa: ARG005


def _on_wire(make: Callable[[Wire], Wire]) -> Callable[[Wire, Scene], Wire]:
    return lambda wire, scene: make(wire)  # noqa: ARG005


def _drop_burst(wire: Wire, scene: Scene) -> Wire:
    return wire_losses.DropProjections(wire, wire_losses.burst(scene.count("projection")))


def _join_late(wire: Wire, scene: Scene) -> Wire:
    return wire_losses.JoinLate(wire, scene.count("projection") // 2 + 1)


def _unknown_references(scene: Scene) -> Metadata:  # noqa: ARG001
    return {"current_dark_flat_scan_uid": "00000000-0000-4000-8000-000000000000"}


_FAULTS = {
    "no-flats": Fault(scene=scene_faults.without("flat")),
    "no-darks": Fault(scene=scene_faults.without("dark")),
    "unknown-references": Fault(scene=scene_faults.without("dark", "flat"), start=_unknown_references),
    "flats-last": Fault(scene=scene_faults.flats_last, plans=("anatomix",)),
    "zero-flats": Fault(scene=scene_faults.with_zero_flats),
    "zero-frames": Fault(scene=scene_faults.with_zero_frames),
    "nan-frames": Fault(scene=scene_faults.with_nan_frames),
    "saturated-frames": Fault(scene=scene_faults.with_saturated_frames),
    "wrong-shape": Fault(scene=scene_faults.cropped, start=scene_faults.uncropped_shape),
    "shape-changes": Fault(later_scene=scene_faults.cropped, least_scans=2),
    "wrong-angles": Fault(start=lambda scene: {"angles_rad": list(scene.angles_rad[:-3])}),
    "abort": Fault(after_frame=_between(_abort), most_scans=1),
    "fail": Fault(after_frame=_between(_fail), most_scans=1),
    "killed": Fault(after_frame=lambda publisher: _half_way(partial(_die, publisher)), most_scans=1),
    "pause": Fault(after_frame=_between(bps.pause), pause_s=_PAUSE_S, modes=("step",)),
    "interleaved": Fault(has_second_run=True, modes=("step",), most_scans=1),
    "late-stop": Fault(wire=_on_wire(partial(wire_faults.LateStop, runs=2)), least_scans=2, most_scans=2),
    "drop-burst": Fault(wire=_drop_burst),
    "drop-start": Fault(wire=_on_wire(lambda wire: wire_losses.DropNames(wire, "start"))),
    "drop-descriptors": Fault(wire=_on_wire(lambda wire: wire_losses.DropNames(wire, "descriptor"))),
    "drop-stop": Fault(wire=_on_wire(lambda wire: wire_losses.DropNames(wire, "stop"))),
    "join-late": Fault(wire=_join_late),
    "duplicate": Fault(wire=_on_wire(wire_faults.Duplicate)),
    "reorder": Fault(wire=_on_wire(wire_faults.Reorder)),
    "repeat": Fault(wire=_on_wire(wire_faults.Repeat)),
    "garbage": Fault(wire=_on_wire(wire_faults.Garbage)),
    "missing-files": Fault(
        wire=_on_wire(lambda wire: wire_faults.Misdirect(wire, lambda path: f"{path}.gone")), assets=_FILES
    ),
    "foreign-files": Fault(
        wire=_on_wire(lambda wire: wire_faults.Misdirect(wire, lambda path: _FOREIGN_FILE)),  # noqa: ARG005
        assets=_FILES,
    ),
}
FAULT_NAMES = (*_FAULTS, "drop:N", "drop:P%", "stall:S")


def fault_named(name: str | None) -> Fault:
    """Find a fault; None is none.

    Raises
    ------
    ValueError
        There is none of that name, or the number after the colon is none.
    """
    if name is None:
        return Fault()
    fault = _FAULTS.get(name) or _with_number(*name.partition(":")[::2])
    if fault is None:
        raise ValueError(
            f"no fault named {name!r}: choose one of {', '.join(FAULT_NAMES)} "
            "(N from 1, P above 0 and at most 100, S above 0)"
        )
    return fault


def _with_number(kind: str, text: str) -> Fault | None:
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        return None
    if not 0 < number < float("inf"):
        return None
    if kind == "stall" and text[-1] != "%":
        return Fault(after_frame=_between(partial(bps.sleep, number)))
    if kind == "drop" and text[-1] == "%" and number <= 100:
        return Fault(wire=_on_wire(lambda wire: wire_losses.DropShare(wire, number / 100)))
    if kind == "drop" and text.isdecimal():
        return Fault(scene=partial(_with_at_least, int(text)), wire=partial(_drop, int(text)))
    return None


def _with_at_least(count: int, scene: Scene) -> Scene:
    if count > scene.count("projection"):
        raise ValueError(f"cannot drop {count} of {scene.count('projection')} projections")
    return scene


def _drop(count: int, wire: Wire, scene: Scene) -> Wire:
    return wire_losses.DropProjections(wire, wire_losses.spread(count, scene.count("projection")))
