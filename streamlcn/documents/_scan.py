"""The scan that a run describes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from streamlcn.documents._run import Run
from streamlcn.documents.settings import DocumentSettings, Value
from streamlcn.errors import FailedScan
from streamlcn.model import Scan

__all__ = ["bare_scan", "counted", "no_pixel_size", "scan_of"]

_LONGEST_TEXT = 500


class _Reading:
    """Values of one run, and what the profile had to assume."""

    def __init__(self, run: Run, *, with_fallbacks: bool) -> None:
        self._run = run
        self._with_fallbacks = with_fallbacks
        self.assumptions: list[str] = []
        self.is_waiting = False

    def number(self, name: str, value: Value) -> float | None:
        """Return the number that documents tell, or else the fallback, which is then an assumption."""
        found = self._run.facts.number(value)
        if found is not None or value.fallback is None:
            return found
        if value.paths and not self._with_fallbacks:
            self.is_waiting = True
            return None
        self.assumptions.append(
            f"{name} {value.fallback:g} is the profile's (documents.values.{name}.fallback): no document "
            "tells it"
        )
        return value.fallback


def counted(run: Run, value: Value) -> int | None:
    """Return a planned number of frames."""
    found = run.facts.number(value)
    found = value.fallback if found is None else found
    return None if found is None or not 0 <= found < 2**31 else round(found)


def scan_of(run: Run, settings: DocumentSettings, *, with_fallbacks: bool) -> Scan | None:
    """Return the scan, or None while its pixel size is not known.

    Without ``with_fallbacks`` it is also None where a fallback would be needed: a later document may still
    tell the value.
    """
    values = settings.values
    reading = _Reading(run, with_fallbacks=with_fallbacks)
    pixel_size_um = reading.number("pixel_size_um", values.pixel_size_um)
    count = reading.number("projection_count", values.projection_count)
    centre = reading.number("centre_of_rotation_px", values.centre_of_rotation_px)
    energy_kev = reading.number("energy_kev", values.energy_kev)
    phase_shift_rad = reading.number("phase_shift_rad", values.phase_shift_rad)
    is_line_integral = bool(reading.number("is_line_integral", values.is_line_integral))
    if pixel_size_um is None or pixel_size_um <= 0 or reading.is_waiting:
        return None
    return Scan(
        uid=run.uid,
        projection_count=run.planned_count if count is not None else None,
        detector_shape=run.frame_shape,
        voxel_size_um=pixel_size_um,
        angles_rad=None if run.angles is None else run.angles.planned,
        centre_of_rotation=centre,
        energy_kev=energy_kev,
        phase_shift_rad=phase_shift_rad,
        is_line_integral=is_line_integral,
        started_s=_time(run.facts.start),
        assumptions=tuple(reading.assumptions),
        plan=_told(run.facts.start),
    )


def bare_scan(run: Run, settings: DocumentSettings) -> Scan:
    """Return what can be said of a run that fails before it is a scan; the voxel size may be NaN."""
    pixel_size_um = run.facts.number(settings.values.pixel_size_um)
    return Scan(
        uid=run.uid,
        projection_count=run.planned_count,
        detector_shape=run.frame_shape,
        voxel_size_um=math.nan if pixel_size_um is None else pixel_size_um,
        started_s=_time(run.facts.start),
        plan=_told(run.facts.start),
    )


def no_pixel_size(run: Run, settings: DocumentSettings) -> FailedScan:
    """Return the error of a scan without a pixel size."""
    looked = ", ".join(settings.values.pixel_size_um.paths) or "nowhere"
    return FailedScan(
        f"scan {run.uid}: no document tells the pixel size (looked at {looked}): set "
        "documents.values.pixel_size_um.paths, or its fallback in micrometres"
    )


def _time(start: Mapping[str, Any]) -> float:
    time_s = float(start["time"])
    return time_s if math.isfinite(time_s) else 0.0


def _told(start: Mapping[str, Any]) -> dict[str, Any]:
    """Return the plain values of a start document that fit on a page: no lists of angles, no arrays."""
    return {
        key: value[:_LONGEST_TEXT] if isinstance(value, str) else value
        for key, value in start.items()
        if type(value) in (str, int, float, bool)
    }
