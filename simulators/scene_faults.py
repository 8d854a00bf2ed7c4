"""Faults of what is scanned: frames that are missing, empty, saturated or of another size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from simulators.plan_shapes import Metadata
from simulators.scene import Exposer, Role, Scene, grouped

_CROP = (2, 4)
_BAD_EVERY = 10
_FIRST_BAD = 4

Change = Callable[[npt.NDArray[Any], Role, int], npt.NDArray[Any]]
"""What becomes of a frame, given its role and its number among the frames of that role."""


class _Dressed:
    """An exposer whose frames are changed on their way out."""

    def __init__(self, inner: Exposer, change: Change) -> None:
        self._inner = inner
        self._change = change
        self._taken: dict[Role, int] = {"dark": 0, "flat": 0, "projection": 0}
        rows, columns = change(np.zeros(inner.shape, np.uint8), "dark", 0).shape
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
        role: Role = "dark" if not shutter_open else "projection" if sample_in else "flat"
        number = self._taken[role]
        self._taken[role] = number + 1
        return self._change(frame, role, number)


def without(*roles: Role) -> Callable[[Scene], Scene]:
    """Return what leaves all frames of these roles out."""
    return lambda scene: replace(
        scene, segments=tuple(part for part in scene.segments if part.role not in roles)
    )


def flats_last(scene: Scene) -> Scene:
    """Take all flats after the projections."""
    return replace(scene, segments=grouped(scene.segments, ("dark", "projection", "flat")))


def with_zero_flats(scene: Scene) -> Scene:
    """Take flats of zeros."""

    def change(frame: npt.NDArray[Any], role: Role, number: int) -> npt.NDArray[Any]:  # noqa: ARG001
        return np.zeros_like(frame) if role == "flat" else frame

    return replace(scene, exposer=_Dressed(scene.exposer, change))


def with_zero_frames(scene: Scene) -> Scene:
    """Make every tenth projection black, as a file writer fills in frames that it has lost."""
    return _with_bad_projections(scene, 0.0)


def with_saturated_frames(scene: Scene) -> Scene:
    """Make every tenth projection as bright as its kind of number can be, floats 65535."""
    top = np.iinfo(scene.dtype).max if scene.dtype.kind in "iu" else 65535.0
    return _with_bad_projections(scene, float(top))


def with_nan_frames(scene: Scene) -> Scene:
    """Make all frames float32, and every tenth projection NaN."""

    def as_float(frame: npt.NDArray[Any], role: Role, number: int) -> npt.NDArray[Any]:  # noqa: ARG001
        return frame.astype(np.float32)

    floats = replace(scene, exposer=_Dressed(scene.exposer, as_float), dtype=np.dtype(np.float32))
    return _with_bad_projections(floats, np.nan)


def cropped(scene: Scene) -> Scene:
    """Cut two rows and four columns off every frame."""
    rows, columns = _CROP

    def change(frame: npt.NDArray[Any], role: Role, number: int) -> npt.NDArray[Any]:  # noqa: ARG001
        return np.ascontiguousarray(frame[rows:, columns:])

    return replace(scene, exposer=_Dressed(scene.exposer, change))


def uncropped_shape(scene: Scene) -> Metadata:
    """Return the start-document keys of the scene before it was cropped."""
    rows, columns = scene.exposer.shape
    return {"detector_shape": [rows + _CROP[0], columns + _CROP[1]]}


def _with_bad_projections(scene: Scene, value: float) -> Scene:
    def change(frame: npt.NDArray[Any], role: Role, number: int) -> npt.NDArray[Any]:
        is_bad = role == "projection" and number % _BAD_EVERY == _FIRST_BAD
        return np.full_like(frame, value) if is_bad else frame

    return replace(scene, exposer=_Dressed(scene.exposer, change))
