"""Where a run's angles come from, one class for each kind of source.

All answer the same questions: which projections may have an angle now, and what is it? An answer never
changes once it was given, whatever order documents come in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from streamlcn.documents._assets import FileValues
from streamlcn.documents._facts import as_number, is_flat
from streamlcn.documents._refused import refused
from streamlcn.documents.settings import AngleSource, EventAngle, MonitorAngle, StreamAngle
from streamlcn.errors import FailedScan

__all__ = ["Angles", "EventAngles", "FileAngles", "ListedAngles", "MonitorAngles", "ReadValues", "numbers"]

ReadValues = Callable[[FileValues], Sequence[float]]
"""Reads numbers from a detector's file, waiting for them; raises `UnreadableFrame`."""


class Angles:
    """The angles of one run's projections, by index."""

    def __init__(self, settings: AngleSource) -> None:
        self._settings = settings

    @property
    def planned(self) -> tuple[float, ...] | None:
        """All angles in radians, where they are known beforehand."""
        return None

    @property
    def stream_key(self) -> str | None:
        """The data key whose files hold the values."""
        return None

    @property
    def monitor_stream(self) -> str | None:
        """The stream whose events are samples of the angle."""
        return None

    def at(self, index: int) -> float | None:
        """Return the angle of a projection in radians, or None as long as it is not known."""
        raise NotImplementedError

    def is_told(self, index: int) -> bool:
        """Whether what tells the angle of a projection has come, beside a monitor's samples."""
        return self.at(index) is not None

    def take_event(self, first: int, count: int, event: Mapping[str, Any], image_key: str) -> None:
        """Learn from an event of the projections' stream, which stands for ``count`` frames."""

    def take_values(self, first: int, count: int, values: FileValues) -> None:
        """Learn from a range of a file."""

    def take_sample(self, event: Mapping[str, Any]) -> None:
        """Learn from an event of the monitor's stream."""

    def samples_seen(self) -> int:
        """How many events of the monitor came."""
        return 0

    def settle(self) -> None:
        """No further document will come: what is known is all."""

    def _radians(self, value: float) -> float:
        angle = value * self._settings.scale + self._settings.offset
        return float(np.deg2rad(angle)) if self._settings.unit == "deg" else float(angle)


class ListedAngles(Angles):
    """Known beforehand."""

    def __init__(self, settings: AngleSource, values: Iterable[float], where: str) -> None:
        super().__init__(settings)
        self._angles = tuple(self._radians(value) for value in values)
        self._where = where

    @property
    def planned(self) -> tuple[float, ...]:
        return self._angles

    def at(self, index: int) -> float | None:
        if index >= len(self._angles):
            raise FailedScan(
                f"projection {index} came, but {self._where} has only {len(self._angles)} angles"
            )
        return self._angles[index]


class EventAngles(Angles):
    """A key of the projections' events."""

    def __init__(self, settings: EventAngle) -> None:
        super().__init__(settings)
        self._key = settings.key
        self._angles: dict[int, float] = {}

    def at(self, index: int) -> float | None:
        return self._angles.get(index)

    def take_event(self, first: int, count: int, event: Mapping[str, Any], image_key: str) -> None:  # noqa: ARG002
        values = numbers(event["data"].get(self._key), count, f"event key {self._key!r}")
        for offset, value in enumerate(values):
            self._angles.setdefault(first + offset, self._radians(value))


class FileAngles(Angles):
    """A key whose values are in a file."""

    def __init__(self, settings: StreamAngle, read_values: ReadValues | None) -> None:
        super().__init__(settings)
        self._key = settings.key
        self._read_values = read_values
        self._angles: dict[int, float] = {}

    @property
    def stream_key(self) -> str:
        return self._key

    def at(self, index: int) -> float | None:
        return self._angles.get(index)

    def take_values(self, first: int, count: int, values: FileValues) -> None:
        if self._read_values is None:
            raise FailedScan(f"angles are in {values.path}, and nobody here can read them")
        found = numbers(list(self._read_values(values)), count, f"{values.path}:{values.dataset}")
        for offset, value in enumerate(found):
            self._angles.setdefault(first + offset, self._radians(value))


class MonitorAngles(Angles):
    """Interpolates between samples. An angle is given when no sample before the next one is missing."""

    def __init__(self, settings: MonitorAngle) -> None:
        super().__init__(settings)
        self._monitor = settings
        self._samples: dict[int, tuple[float, float]] = {}
        self._unbroken = 0
        self._times: dict[int, float] = {}
        self._is_settled = False
        self._curve: tuple[list[float], list[float]] | None = None

    @property
    def monitor_stream(self) -> str:
        return self._monitor.stream

    @property
    def times_key(self) -> str | None:
        """The data key of the frames' times; without, the image's timestamp counts."""
        return self._monitor.times_key

    def samples_seen(self) -> int:
        return len(self._samples)

    def at(self, index: int) -> float | None:
        time_s = self._times.get(index)
        if time_s is None:
            return None
        times, values = self._known_curve()
        if not times or time_s < times[0] or (time_s > times[-1] and not self._is_settled):
            return None
        return self._radians(float(np.interp(time_s, times, values)))

    def is_told(self, index: int) -> bool:
        return index in self._times

    def take_event(self, first: int, count: int, event: Mapping[str, Any], image_key: str) -> None:
        key = self._monitor.times_key
        found = event["timestamps"].get(image_key, event["time"]) if key is None else event["data"].get(key)
        where = "the image's timestamp" if key is None else f"event key {key!r}"
        for offset, time_s in enumerate(numbers(found, count, where)):
            self._times.setdefault(first + offset, time_s)

    def take_sample(self, event: Mapping[str, Any]) -> None:
        key = self._monitor.key
        if key not in event["data"]:
            raise FailedScan(f"stream {self._monitor.stream!r} has no key {key!r}; check documents.angles")
        value, time_s = as_number(event["data"][key]), as_number(event["timestamps"].get(key))
        if value is None or time_s is None:
            raise refused("invalid", f"stream {self._monitor.stream!r}: {key!r} is no number with a time")
        self._samples.setdefault(event["seq_num"], (time_s, value))
        while self._unbroken + 1 in self._samples:
            self._unbroken += 1
        self._curve = None

    def settle(self) -> None:
        self._is_settled = True
        self._curve = None

    def _known_curve(self) -> tuple[list[float], list[float]]:
        if self._curve is None:
            last = max(self._samples, default=0) if self._is_settled else self._unbroken
            samples = sorted({time: value for seq, (time, value) in sorted(self._samples.items())
                              if seq <= last}.items())  # fmt: skip
            self._curve = [time for time, _ in samples], [value for _, value in samples]
        return self._curve


def numbers(found: Any, count: int, where: str) -> list[float]:
    """Return ``count`` finite numbers; raises `FailedScan`, and `BadDocument` for a number that is none."""
    is_one = not isinstance(found, list | tuple) and getattr(found, "ndim", 0) == 0
    if count == 1 and is_one:
        found = [found]
    if not is_flat(found) or len(found) != count:
        size = len(found) if is_flat(found) else "no"
        raise FailedScan(f"{where} should hold {count} numbers but holds {size}")
    values = [as_number(value) for value in found]
    if None in values:
        bad = found[values.index(None)]
        raise refused("invalid", f"{where} holds {str(bad)[:40]!r}, which is no finite number")
    return [value for value in values if value is not None]
