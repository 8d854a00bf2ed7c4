"""The devices of one scan, put together."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from ophyd_async.core import Array1D, Device, StandardReadable, soft_signal_r_and_setter

from simulators.classic_camera import ClassicCamera, FileCamera, InlineCamera
from simulators.hutch import Hutch
from simulators.plan_shapes import PlanShape
from simulators.scene import Scene
from simulators.stages import Shutter, Stage, rotation_stage, sample_stage
from simulators.stream_camera import StreamDetector, angle_recorder, stream_camera

_PATIENCE_S = 30.0


class FrameTimes(StandardReadable):
    """When each frame of a stack was taken, seconds since the epoch; read under the device's own name."""

    def __init__(self, *, name: str) -> None:
        with self.add_children_as_readables():
            self.times, self._show = soft_signal_r_and_setter(Array1D[np.float64], np.zeros(1), units="s")
        super().__init__(name=name)

    def set_name(self, name: str, *, child_name_separator: str | None = None) -> None:
        """Name the device and its reading."""
        super().set_name(name, child_name_separator=child_name_separator)
        self.times.set_name(name)

    def show(self, times_s: list[float]) -> None:
        """Set the reading; only from the event loop's thread."""
        self._show(np.asarray(times_s, np.float64))


class Microscope(StandardReadable):
    """What is read once before and once after a scan: energy, and the pixel size that its motors imply."""

    def __init__(self, energy_kev: float, pixel_size_um: float, *, name: str = "microscope") -> None:
        with self.add_children_as_readables():
            self.energy, _ = soft_signal_r_and_setter(float, energy_kev, units="keV")
            self.pixel_size, _ = soft_signal_r_and_setter(float, pixel_size_um, units="um")
        super().__init__(name=name)


@dataclass(frozen=True, kw_only=True)
class Rig:
    """Everything a plan moves, triggers and reads."""

    hutch: Hutch
    camera: ClassicCamera | StreamDetector
    rotation: Stage
    sample_x: Stage
    shutter: Shutter
    encoder: StreamDetector
    frame_times: FrameTimes
    microscope: Microscope
    loop: asyncio.AbstractEventLoop

    @property
    def to_connect(self) -> tuple[Device, ...]:
        """The devices of the ophyd-async kind."""
        devices = (
            self.rotation,
            self.sample_x,
            self.shutter,
            self.encoder,
            self.frame_times,
            self.microscope,
        )
        return (*devices, self.camera) if isinstance(self.camera, StreamDetector) else devices

    @property
    def is_classic(self) -> bool:
        """Whether the camera is of the classic kind."""
        return isinstance(self.camera, ClassicCamera)

    @property
    def patience_s(self) -> float:
        """How long one frame may take before the camera counts as stuck."""
        return _PATIENCE_S + 3 * self.hutch.period_s

    def place_rotation(self, angle_deg: float) -> None:
        """Turn the stage at once, from whichever thread moves it before a frame."""
        if self.is_classic:
            self.rotation.place_from_thread(angle_deg, self.loop)
        else:
            self.rotation.place(angle_deg)


def make_rig(
    scene: Scene,
    shape: PlanShape,
    *,
    assets: str,
    directory: Path,
    loop: asyncio.AbstractEventLoop,
    period_s: float = 0.0,
    swmr: bool = True,
) -> Rig:
    """Return the devices of a scan; ``loop`` is the RunEngine's, in which a plan must connect them."""
    hutch = Hutch(scene.exposer, period_s=period_s, is_dropped=scene.is_dropped)
    rotation = rotation_stage(hutch, name=shape.rotation)
    sample_x, shutter = sample_stage(hutch), Shutter(hutch)
    encoder = angle_recorder(hutch, directory, swmr=swmr)
    times = FrameTimes(name=f"{shape.camera}_timestamps")
    nowhere = float("nan")
    microscope = Microscope(scene.facts.get("energy_kev", nowhere), scene.facts.get("pixel_size_um", nowhere))
    camera = make_camera(
        hutch, shape.camera, assets=assets, dtype=scene.dtype, directory=directory, swmr=swmr,
        exposure_s=scene.exposure_s,
    )  # fmt: skip
    return Rig(
        hutch=hutch, camera=camera, rotation=rotation, sample_x=sample_x, shutter=shutter, encoder=encoder,
        frame_times=times, microscope=microscope, loop=loop,
    )  # fmt: skip


def make_camera(
    hutch: Hutch,
    name: str,
    *,
    assets: str,
    dtype: np.dtype[Any],
    directory: Path,
    swmr: bool,
    exposure_s: float,
) -> ClassicCamera | StreamDetector:
    """Return the camera that delivers pixels as ``assets`` ("inline", "resource", "stream") says."""
    if assets == "inline":
        return InlineCamera(hutch, dtype=dtype, name=name)
    if assets == "resource":
        return FileCamera(hutch, directory, dtype=dtype, swmr=swmr, name=name)
    if assets == "stream":
        return stream_camera(hutch, directory, dtype=dtype, exposure_s=exposure_s, swmr=swmr, name=name)
    raise ValueError(f"no assets named {assets!r}: choose inline, resource or stream")
