"""Long computations beat the heart of their stage, and not so often that the events are a burden."""

from __future__ import annotations

from typing import Any

from streamlcn.pipeline._conclude import _beating
from streamlcn.telemetry import EventTelemetry, parse_event


def test_ten_thousand_words_become_a_hundred_beats_and_the_last_says_all() -> None:
    told: list[Any] = []
    tell = _beating(EventTelemetry(told.append), "measure")
    for done in range(1, 10_001):
        tell(done / 9_999)  # shares of shares may end a hair above one
    beats = [parse_event(event) for event in told]
    assert 90 < len(beats) <= 102
    assert (beats[-1].stage, beats[-1].share) == ("measure", 1.0)
