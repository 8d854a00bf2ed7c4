"""Fly scans: the stage turns, and the camera takes a frame whenever it passes an angle of the list."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ophyd import DeviceStatus
from ophyd_async.core import FlyableLogic, StandardFlyable

from simulators.classic_camera import ClassicCamera
from simulators.hutch import Hutch
from simulators.stages import Stage
from simulators.stream_camera import StreamDetector, ended


@dataclass
class _PositionCompare(FlyableLogic[Sequence[float], list[float]]):
    hutch: Hutch
    rotation: Stage
    listeners: Sequence[StreamDetector]
    task: asyncio.Task[None] | None = field(default=None, init=False)

    async def on_prepare(self, value: Sequence[float]) -> list[float]:
        return list(value)

    async def on_kickoff(self, ctx: list[float]) -> list[float]:
        self.task = asyncio.create_task(self._fly(ctx))
        return ctx

    async def on_complete(self, ctx: list[float]) -> None:  # noqa: ARG002
        if self.task:
            await ended(self.task)

    async def stop(self) -> None:
        task, self.task = self.task, None
        if task:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _fly(self, angles_deg: list[float]) -> None:
        for angle in angles_deg:
            await asyncio.sleep(self.hutch.wait_s())
            self.rotation.place(angle)
            await asyncio.gather(*(listener.pulse() for listener in self.listeners))


class PulseBox(StandardFlyable[Sequence[float], list[float]]):
    """Turns the stage and gives every listener a pulse at each angle (degrees) it was prepared with.

    The next pulse waits until all listeners have written their frame, as a camera's ready line makes it.
    """

    def __init__(
        self, hutch: Hutch, rotation: Stage, listeners: Sequence[StreamDetector], *, name: str = "pulse_box"
    ) -> None:
        self._compare = _PositionCompare(hutch, rotation, tuple(listeners))
        super().__init__(name=name)

    @cached_property
    def flyable_logic(self) -> FlyableLogic[Sequence[float], list[float]]:
        return self._compare


class ClassicFlyer:
    """The same for a classic camera: frames gather, and a collect turns what there is into an event page."""

    parent = None

    def __init__(
        self,
        camera: ClassicCamera,
        rotation: Stage,
        angles_deg: Sequence[float],
        *,
        loop: asyncio.AbstractEventLoop,
        stream: str,
        name: str = "flyer",
    ) -> None:
        self.name = name
        self.camera = camera
        self._rotation = rotation
        self._angles_deg = tuple(angles_deg)
        self._loop = loop
        self._stream = stream
        self.collected = 0
        self._events: list[dict[str, Any]] = []
        self._explained: list[dict[str, Any]] = []
        self._documents: list[tuple[str, dict[str, Any]]] = []
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def kickoff(self) -> DeviceStatus:
        """Begin to turn."""
        self._complete = DeviceStatus(self.camera)
        self._thread = threading.Thread(target=self._fly, args=(self._complete,), name=f"{self.name} flying")
        self._thread.start()
        started = DeviceStatus(self.camera)
        started.set_finished()
        return started

    def complete(self) -> DeviceStatus:
        """Return the status that is done after the last frame."""
        return self._complete

    def stop(self, *, success: bool = False) -> None:  # noqa: ARG002
        """Take no further frame."""
        self._stopping.set()

    async def land(self) -> None:
        """Take no further frame, and return when the present one is taken."""
        self.stop()
        if self._thread:
            await asyncio.to_thread(self._thread.join)

    def describe_collect(self) -> dict[str, dict[str, Any]]:
        """Describe the one stream that comes of it."""
        frames = self.camera.image.name
        rotation = {"source": f"SIM:{self._rotation.name}", "dtype": "number", "shape": [], "units": "deg"}
        return {self._stream: {frames: self.camera.describe_frames(), self._rotation.name: rotation}}

    def collect(self) -> Iterator[dict[str, Any]]:
        """Yield the events whose asset documents were collected since the last call.

        The RunEngine collects asset documents first; a frame that comes in between waits for the next time,
        or its event would be sent before the Datum it names.
        """
        events, self._explained = self._explained, []
        self.collected += len(events)
        yield from events

    def collect_asset_docs(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the Resource and Datum documents composed since the last call."""
        with self._lock:
            documents, self._documents = self._documents, []
            self._explained += self._events
            self._events = []
        yield from documents

    def _fly(self, done: DeviceStatus) -> None:
        try:
            for angle in self._angles_deg:
                if self._stopping.is_set():
                    break
                self._take(angle)
        except Exception as error:  # noqa: BLE001  the RunEngine raises it where the plan waits
            done.set_exception(error)
        else:
            done.set_finished()

    def _take(self, angle_deg: float) -> None:
        self._rotation.place_from_thread(angle_deg, self._loop)
        shot = self.camera.take()
        with self._lock:
            value, documents = self.camera.deliver([shot])
            self._documents += documents
            data = {self.camera.image.name: value, self._rotation.name: shot.rotation_deg}
            self._events.append(
                {
                    "time": shot.time_s,
                    "data": data,
                    "timestamps": dict.fromkeys(data, shot.time_s),
                    "filled": {self.camera.image.name: False} if self.camera.is_external else {},
                }
            )
