"""ophyd-async devices that put things into the beam: rotation stage, sample stage, shutter."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from ophyd_async.core import (
    AsyncStatus,
    InOut,
    MovableLogic,
    StandardMovable,
    StandardReadable,
    TimeoutCalculator,
    soft_signal_r_and_setter,
    soft_signal_rw,
)
from ophyd_async.core import StandardReadableFormat as Format

from simulators.hutch import Hutch


@dataclass
class _Placing(MovableLogic[float]):
    """Arrive at once: the time of a move is part of the time of the next exposure."""

    place: Callable[[float], None]

    async def move(self, new_position: float, timeout: TimeoutCalculator) -> None:  # noqa: ARG002
        await self.setpoint.set(new_position)
        self.place(new_position)


class Stage(StandardReadable, StandardMovable[float]):
    """One motor; its readback has the stage's own name, as EPICS motors do.

    ``carry`` is told every new position before the readback shows it.
    """

    def __init__(self, carry: Callable[[float], None], *, units: str, name: str) -> None:
        with self.add_children_as_readables(Format.HINTED_SIGNAL):
            self.user_readback, self._show = soft_signal_r_and_setter(float, 0.0, units=units)
        self.user_setpoint = soft_signal_rw(float, 0.0, units=units)
        self._carry = carry
        super().__init__(name=name)

    @cached_property
    def movable_logic(self) -> MovableLogic[float]:
        return _Placing(setpoint=self.user_setpoint, readback=self.user_readback, place=self.place)

    def place(self, position: float) -> None:
        """Be at ``position`` now; only from the event loop's thread."""
        self._carry(position)
        self._show(position)

    def place_from_thread(self, position: float, loop: asyncio.AbstractEventLoop) -> None:
        """Be at ``position`` when this returns; from any thread but the loop's."""

        async def move() -> None:
            self.place(position)

        asyncio.run_coroutine_threadsafe(move(), loop).result()


def rotation_stage(hutch: Hutch, *, name: str = "rotation") -> Stage:
    """Return the rotation stage; degrees."""

    def turn(angle_deg: float) -> None:
        hutch.rotation_deg = angle_deg
        hutch.turned_at_s = time.time()

    return Stage(turn, units="deg", name=name)


def sample_stage(hutch: Hutch, *, name: str = "sample_x") -> Stage:
    """Return the stage that drives the sample out of the beam for flats; millimetres."""

    def shift(position_mm: float) -> None:
        hutch.sample_x_mm = position_mm

    return Stage(shift, units="mm", name=name)


class Shutter(StandardReadable):
    """A beam stop: IN blocks the beam, OUT lets it pass."""

    def __init__(self, hutch: Hutch, *, name: str = "shutter") -> None:
        with self.add_children_as_readables(Format.CONFIG_SIGNAL):
            self.blade, self._show = soft_signal_r_and_setter(InOut, InOut.IN)
        self._hutch = hutch
        super().__init__(name=name)

    @AsyncStatus.wrap
    async def set(self, value: InOut) -> None:
        """Drive the blade in or out."""
        self._hutch.is_shutter_open = value is InOut.OUT
        self._show(value)
