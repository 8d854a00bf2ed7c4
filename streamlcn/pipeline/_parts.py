"""What a scan's way through the house needs, handed in whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from streamlcn.ports import Clock, FrameReader, Reconstructor, ResultStore, Segmenter, Telemetry
from streamlcn.profile import Profile, Recipe

__all__ = ["Emit", "Parts"]

Emit = Callable[[Mapping[str, Any]], None]
"""Takes one event for the operators; never raises, never blocks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Long-lived providers, shared by all scans. None of them holds a scan."""

    profile: Profile
    recipe: Recipe
    frames: FrameReader
    reconstructor: Reconstructor
    segmenter: Segmenter
    store: ResultStore
    telemetry: Telemetry
    emit: Emit
    clock: Clock
