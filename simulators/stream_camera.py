"""Detectors of the ophyd-async kind that write HDF5 and tell of it by StreamResource and StreamDatum."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from ophyd_async.core import (
    DetectorAcquireLogic,
    DetectorDataLogic,
    DetectorTriggerLogic,
    PathProvider,
    SignalR,
    StandardDetector,
    StaticPathProvider,
    StreamableDataProvider,
    StreamResourceDataProvider,
    StreamResourceInfo,
    UUIDFilenameProvider,
    soft_signal_r_and_setter,
)

from simulators.frame_file import DATASET, FrameFile
from simulators.hutch import Hutch, Shot


async def ended(task: asyncio.Task[None]) -> None:
    """Wait for a task; raise what it raised, but nothing if it was cancelled.

    What a plan stops has ended: were it a failure, it would hide the reason why the plan stopped.
    """
    await asyncio.wait([task])
    if not task.cancelled():
        task.result()


@dataclass
class _Driver:
    """The electronics: what they were told to do, and where frames go."""

    hutch: Hutch
    take: Callable[[], Shot]
    pulses: asyncio.Queue[None] = field(default_factory=asyncio.Queue)
    before_frame: Callable[[int], None] | None = None
    file: FrameFile | None = None
    to_take: int = 0
    is_pulsed: bool = False
    frames: int = 0
    taken_at_s: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.written, self.show_written = soft_signal_r_and_setter(int)

    async def acquire(self) -> None:
        """Take the frames asked for, one after the other or one per pulse, and write each as it comes."""
        for number in range(self.to_take):
            if self.is_pulsed:
                await self.pulses.get()
            else:
                await asyncio.sleep(self.hutch.wait_s())
                if self.before_frame is not None:
                    self.before_frame(number)
            shot = await asyncio.to_thread(self.take)
            if self.file is None:
                raise RuntimeError("there is no file to write to: stage the detector first")
            self.taken_at_s.append(shot.time_s)
            self.frames = self.file.append(shot.pixels, shot.time_s)
            self.show_written(self.frames)
            if self.is_pulsed:
                self.pulses.task_done()


@dataclass
class _TriggerLogic(DetectorTriggerLogic):
    driver: _Driver
    exposure_time: SignalR[float]

    def config_sigs(self) -> set[SignalR[Any]]:
        return {self.exposure_time}

    def get_deadtime(self, config_values: Any) -> float:  # noqa: ARG002
        return 0.0

    async def prepare_internal(self, num: int, livetime: float, deadtime: float) -> None:  # noqa: ARG002
        self.driver.to_take, self.driver.is_pulsed = num, False

    async def prepare_edge(self, num: int, livetime: float) -> None:  # noqa: ARG002
        self.driver.to_take, self.driver.is_pulsed = num, True


@dataclass
class _AcquireLogic(DetectorAcquireLogic):
    driver: _Driver
    task: asyncio.Task[None] | None = None

    async def start_acquiring(self) -> None:
        self.task = asyncio.create_task(self.driver.acquire())

    async def wait_for_idle(self) -> None:
        if self.task:
            await ended(self.task)

    async def ensure_stopped(self) -> None:
        task, self.task = self.task, None
        if task:
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task


@dataclass
class _FileLogic(DetectorDataLogic):
    driver: _Driver
    paths: PathProvider
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    swmr: bool

    async def prepare_unbounded(self, datakey_name: str) -> StreamableDataProvider:
        place = self.paths(datakey_name)
        path = Path(place.directory_path) / f"{place.filename}.h5"
        self.driver.file = FrameFile(path, self.shape, self.dtype, swmr=self.swmr)
        self.driver.frames = 0
        self.driver.show_written(0)
        return StreamResourceDataProvider(
            uri=f"{place.directory_uri}{place.filename}.h5",
            resources=[
                StreamResourceInfo(
                    data_key=datakey_name,
                    shape=self.shape,
                    chunk_shape=self.driver.file.chunk_shape,
                    dtype_numpy=self.dtype.str,
                    parameters={"dataset": DATASET, "swmr": self.swmr},
                )
            ],
            mimetype="application/x-hdf5",
            collections_written_signal=self.driver.written,
        )

    async def stop(self) -> None:
        if self.driver.file:
            self.driver.file.close()
            self.driver.file = None

    def get_hinted_fields(self, datakey_name: str) -> list[str]:
        return [datakey_name]


class StreamDetector(StandardDetector):
    """Takes frames when told to (step scans) or at every pulse of a trigger line (fly scans).

    Parameters
    ----------
    take
        Takes one frame; called in a thread.
    shape
        Of one frame; () for a number.
    directory
        Where files go, one per staging.
    swmr
        Whether a reader may keep the file open while it grows.
    """

    def __init__(
        self,
        hutch: Hutch,
        take: Callable[[], Shot],
        *,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        directory: Path,
        exposure_s: float,
        swmr: bool = True,
        name: str = "camera",
    ) -> None:
        self.exposure_time, _ = soft_signal_r_and_setter(float, exposure_s, units="s")
        self._driver = _Driver(hutch, take)
        paths = StaticPathProvider(UUIDFilenameProvider(), directory.absolute())
        self.add_detector_logics(
            _TriggerLogic(self._driver, self.exposure_time),
            _AcquireLogic(self._driver),
            _FileLogic(self._driver, paths, shape, dtype, swmr),
        )
        super().__init__(name=name)

    def move_before_frames(self, move: Callable[[int], None] | None) -> None:
        """Call ``move`` with each frame's number within its trigger before it, in the event loop."""
        self._driver.before_frame = move

    async def pulse(self) -> None:
        """Give the trigger line one edge and wait until its frame is written."""
        self._driver.pulses.put_nowait(None)
        await self._driver.pulses.join()

    @property
    def frames_taken(self) -> int:
        """How many frames are in the file that is open."""
        return self._driver.frames

    def taken_at_s(self) -> list[float]:
        """Return when each frame since the last call was taken, seconds since the epoch."""
        taken, self._driver.taken_at_s = self._driver.taken_at_s, []
        return taken


def stream_camera(
    hutch: Hutch,
    directory: Path,
    *,
    dtype: np.dtype[Any],
    exposure_s: float,
    swmr: bool,
    name: str = "camera",
) -> StreamDetector:
    """Return the microscope's camera."""
    shape = hutch.exposer.shape
    return StreamDetector(
        hutch, hutch.expose, shape=shape, dtype=dtype, directory=directory, exposure_s=exposure_s, swmr=swmr,
        name=name,
    )  # fmt: skip


def angle_recorder(hutch: Hutch, directory: Path, *, swmr: bool, name: str = "Angle") -> StreamDetector:
    """Return the encoder's recorder: at every pulse it writes the angle of the rotation stage in degrees."""
    return StreamDetector(
        hutch, hutch.read_encoder, shape=(), dtype=np.dtype(np.float64), directory=directory, exposure_s=0.0,
        swmr=swmr, name=name,
    )  # fmt: skip
