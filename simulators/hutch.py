"""The experimental hutch: where the stages are, whether the shutter is open, and what a camera then sees."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from simulators.scene import Exposer

SAMPLE_OUT_MM = 1.0
"""Where plans drive the sample for a flat: far outside any field of view."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One frame, the wall clock when it began, and the angle the stage then had.

    A frame begins when the stage arrives: one trigger stamps both.
    """

    pixels: npt.NDArray[Any]
    time_s: float
    rotation_deg: float


class Hutch:
    """What stands where at this moment: stages write here, cameras look here.

    Parameters
    ----------
    exposer
        What the beam goes through.
    period_s
        Least time between the starts of two frames; 0 takes frames as fast as they can be made.
    is_dropped
        Tells whether the camera loses the exposure of that number.
    clock
        Seconds that never go back, by which frames are spaced.
    """

    def __init__(
        self,
        exposer: Exposer,
        *,
        period_s: float = 0.0,
        is_dropped: Callable[[int], bool] = lambda exposure: False,  # noqa: ARG005
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.exposer = exposer
        self.period_s = period_s
        self._is_dropped = is_dropped
        self._clock = clock
        self.rotation_deg = 0.0
        self.turned_at_s = 0.0
        self.sample_x_mm = 0.0
        self.is_shutter_open = False
        self.failure: Exception | None = None
        self._exposures = 0
        self._next_start_s = 0.0
        self._last_began_s = 0.0
        self._lock = threading.Lock()

    @property
    def exposures(self) -> int:
        """How many exposures have been made since the scan began, lost ones included."""
        return self._exposures

    def kept(self, angles_rad: Sequence[float]) -> tuple[float, ...]:
        """Return those of the next exposures' angles whose frames the camera will not lose."""
        numbered = enumerate(angles_rad, self._exposures)
        return tuple(angle for number, angle in numbered if not self._is_dropped(number))

    def begin_scan(self) -> None:
        """Count exposures from 0 again."""
        with self._lock:
            self._exposures = 0
            self._next_start_s = 0.0
            self.failure = None

    def wait_s(self) -> float:
        """Book the next exposure's slot; returns how long to wait for it."""
        with self._lock:
            now = self._clock()
            start = max(now, self._next_start_s)
            self._next_start_s = start + self.period_s
            return start - now

    def expose(self) -> Shot:
        """Take one frame of what is in the beam now; may be called from any thread."""
        with self._lock:
            while self._is_dropped(self._exposures):
                self._exposures += 1
            number = self._exposures
            self._exposures += 1
            angle = self.rotation_deg
            began = max(self.turned_at_s, self._last_began_s)
            if began == self._last_began_s:
                began = time.time()
            self._last_began_s = began
        try:
            pixels = self.exposer.expose(
                angle_rad=float(np.deg2rad(angle)),
                sample_in=abs(self.sample_x_mm) < SAMPLE_OUT_MM / 2,
                shutter_open=self.is_shutter_open,
                exposure=number,
            )
        except Exception as error:
            self.failure = error
            raise
        return Shot(pixels, began, angle)

    def read_encoder(self) -> Shot:
        """Return the angle that the stage has now, in degrees, as a frame of no dimensions."""
        return Shot(np.asarray(self.rotation_deg, np.float64), time.time(), self.rotation_deg)
