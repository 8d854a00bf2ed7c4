"""One scan as the page shows it."""

from __future__ import annotations

from collections import deque
from typing import Any, TypeAlias

from streamlcn.telemetry import events

__all__ = ["ScanCard"]

_Porosity: TypeAlias = tuple[int, float, bool, float | None, float | None]
"""Projections received, porosity, whether it is provisional, and the bounds it can be believed within."""

_HISTORY = 200
_RATE_OVER_S = 10.0
_NO_SCAN = events.ScanPhase(uid="", phase="waiting")
_ENDED = ("complete", "partial", "failed")


class ScanCard:
    """Progress, rate, and how porosity and centre converged. A new scan gets a new card."""

    def __init__(self) -> None:
        self._latest: events.ScanPhase | None = None
        self._arrivals: deque[tuple[float, int]] = deque(maxlen=_HISTORY)
        self._centre: events.Centre | None = None
        self._centres: list[tuple[int, float]] = []
        self._values: dict[str, Any] | None = None
        self._are_provisional = True
        self._porosity: list[_Porosity] = []
        self._within: tuple[float | None, float | None] = (None, None)
        self._ended_s: float | None = None

    @property
    def uid(self) -> str | None:
        """The scan's uid; None before the first."""
        return self._latest.uid if self._latest else None

    def sample_of(self, uid: str) -> str | None:
        """Return the sample's name if ``uid`` is this scan."""
        return self._latest.sample if self._latest and self._latest.uid == uid else None

    def phase(self, event: events.ScanPhase, now_s: float) -> None:
        """Take the scan's progress."""
        self._latest = event
        if not self._arrivals or event.received != self._arrivals[-1][1]:
            self._arrivals.append((now_s, event.received))
        if event.phase in _ENDED and self._ended_s is None:
            self._ended_s = now_s

    def centre_is(self, event: events.Centre) -> None:
        """Take the centre of rotation."""
        self._centre = event
        if event.pixels is not None:
            self._centres = _thin([*self._centres, (self._received, event.pixels)])

    def numbers(self, event: events.Morphometry) -> None:
        """Take morphometry; a provisional number never replaces a final one."""
        if event.provisional and not self._are_provisional:
            return
        self._values, self._are_provisional = event.values, event.provisional
        self._within = (event.porosity_low, event.porosity_high)
        lcn = event.values.get("lcn")
        porosity = lcn.get("porosity") if isinstance(lcn, dict) else None
        if isinstance(porosity, int | float):
            point = (self._received, float(porosity), event.provisional, *self._within)
            self._porosity = _thin([*self._porosity, point])

    def as_dict(self) -> dict[str, Any]:
        """Return the card for the page."""
        return {
            **(self._latest or _NO_SCAN).model_dump(exclude={"event"}),
            "uid": self.uid,
            "rate_hz": self._rate_hz(),
            "ended_s": self._ended_s,
            "centre": self._centre.model_dump(exclude={"event"}) if self._centre else None,
            "centre_history": self._centres,
            "morphometry": None
            if self._values is None
            else {
                "provisional": self._are_provisional,
                "values": self._values,
                "porosity_low": self._within[0],
                "porosity_high": self._within[1],
            },
            "porosity_history": self._porosity,
        }

    @property
    def _received(self) -> int:
        return self._latest.received if self._latest else 0

    def _rate_hz(self) -> float | None:
        """Projections a second over the last ten seconds of arrivals."""
        if len(self._arrivals) < 2:
            return None
        last_s, last = self._arrivals[-1]
        first_s, first = next(a for a in self._arrivals if last_s - a[0] <= _RATE_OVER_S)
        return (last - first) / (last_s - first_s) if last_s > first_s else None


def _thin(points: list[Any]) -> list[Any]:
    """Keep every second point of a history that has grown too long, and always the last."""
    return points if len(points) <= _HISTORY else [*points[:-1:2], points[-1]]
