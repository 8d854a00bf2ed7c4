"""The microscope's camera as classic ophyd devices: pixels in events, or AD_HDF5 Resource and Datum."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import numpy as np
from ophyd import Component, Device, DeviceStatus, Signal
from ophyd.areadetector.filestore_mixins import resource_factory

from simulators.frame_file import FrameFile
from simulators.hutch import Hutch, Shot

Documents = list[tuple[str, dict[str, Any]]]


class ClassicCamera(Device):
    """Takes one frame per trigger, or `num_images` of them as a stack, in a thread of its own."""

    is_external: ClassVar[bool]

    image = Component(Signal, value=np.zeros((1, 1), np.uint16), kind="normal")

    def __init__(self, hutch: Hutch, *, dtype: np.dtype[Any], name: str = "camera", **kwargs: Any) -> None:
        super().__init__("", name=name, **kwargs)
        self.hutch = hutch
        self.frame_dtype = dtype
        self.num_images: int | None = None
        self._before_frame: Callable[[int], None] | None = None
        self._taken_at: list[float] = []
        self._documents: Documents = []

    def trigger(self) -> DeviceStatus:
        """Take what is to be taken; the status is done when it is there to be read."""
        status = DeviceStatus(self)
        threading.Thread(target=self._acquire, args=(status,), name=f"{self.name} exposing").start()
        return status

    def move_before_frames(self, move: Callable[[int], None] | None) -> None:
        """Call ``move`` with each frame's number within its trigger before it, in the camera's thread."""
        self._before_frame = move

    def taken_at_s(self) -> list[float]:
        """Return when each frame since the last call was taken, seconds since the epoch."""
        taken, self._taken_at = self._taken_at, []
        return taken

    def take(self, number: int = 0) -> Shot:
        """Wait for the frame's turn and take it."""
        time.sleep(self.hutch.wait_s())
        if self._before_frame is not None:
            self._before_frame(number)
        shot = self.hutch.expose()
        self._taken_at.append(shot.time_s)
        return shot

    def deliver(self, shots: list[Shot]) -> tuple[Any, Documents]:
        """Return what stands for the frames in an event, and the asset documents that explain it."""
        raise NotImplementedError

    def describe_frames(self) -> dict[str, Any]:
        """Return the data key of one trigger's frames."""
        stack: list[int] = [] if self.num_images is None else [self.num_images]
        return {
            "source": f"SIM:{self.name}",
            "dtype": "array",
            "dtype_numpy": self.frame_dtype.str,
            "shape": [*stack, *self.hutch.exposer.shape],
        }

    def describe(self) -> dict[str, dict[str, Any]]:
        """Describe the frames."""
        return {self.image.name: self.describe_frames()}

    def collect_asset_docs(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the asset documents composed since the last call."""
        documents, self._documents = self._documents, []
        yield from documents

    def _acquire(self, status: DeviceStatus) -> None:
        try:
            value, documents = self.deliver([self.take(number) for number in range(self.num_images or 1)])
            self._documents += documents
            self.image.put(value)
        except Exception as error:  # noqa: BLE001  the RunEngine raises it where the plan waits
            status.set_exception(error)
        else:
            status.set_finished()


class InlineCamera(ClassicCamera):
    """Puts the pixels into the event itself: a frame, or a stack (frame, row, column)."""

    is_external = False

    def deliver(self, shots: list[Shot]) -> tuple[Any, Documents]:
        """Return the pixels."""
        frames = [shot.pixels for shot in shots]
        return frames[0] if self.num_images is None else np.stack(frames), []


class FileCamera(ClassicCamera):
    """Writes an HDF5 file per staging and puts datum ids into events, as areaDetector's HDF5 plug-in does."""

    is_external = True

    def __init__(self, hutch: Hutch, directory: Path, *, swmr: bool = True, **kwargs: Any) -> None:
        super().__init__(hutch, **kwargs)
        self._directory = directory.absolute()
        self._is_swmr = swmr
        self._file: FrameFile | None = None

    def stage(self) -> list[object]:
        """Open a file and compose its Resource; every trigger must then take the same number of frames."""
        staged: list[object] = super().stage()
        path = self._directory / f"{uuid4()}.h5"
        self._file = FrameFile(path, self.hutch.exposer.shape, self.frame_dtype, swmr=self._is_swmr)
        resource, self._compose_datum = resource_factory(
            spec="AD_HDF5",
            root="/",
            resource_path=path.relative_to("/").as_posix(),
            resource_kwargs={"frame_per_point": self.num_images or 1},
            path_semantics="posix",
        )
        self._unsent: Documents = [("resource", resource)]
        self._points = 0
        return staged

    def unstage(self) -> list[object]:
        """Close the file."""
        if self._file:
            self._file.close()
            self._file = None
        self._documents.clear()
        unstaged: list[object] = super().unstage()
        return unstaged

    def deliver(self, shots: list[Shot]) -> tuple[Any, Documents]:
        """Write the frames; return the id of the Datum that stands for them."""
        if self._file is None:
            raise RuntimeError(f"{self.name} has no file to write to: stage it first")
        for shot in shots:
            self._file.append(shot.pixels, shot.time_s)
        datum = self._compose_datum({"point_number": self._points})
        self._points += 1
        documents, self._unsent = [*self._unsent, ("datum", datum)], []
        return datum["datum_id"], documents

    def describe_frames(self) -> dict[str, Any]:
        """Return the data key of what the datum ids stand for."""
        return {**super().describe_frames(), "source": f"SIM:{self.name}:HDF1", "external": "FILESTORE:"}
