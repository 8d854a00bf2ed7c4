"""What became of lost documents is counted, and said in two lines."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from streamlcn.documents import BackfillState
from streamlcn.pipeline import Parts
from streamlcn.service._fills import FillReports
from streamlcn.telemetry import EventTelemetry


def told_of(*states: BackfillState) -> tuple[list[str], dict[str, float], list[float]]:
    """Return the lines, the counts by outcome, and the levels of what is sought."""
    told: list[Any] = []
    parts = SimpleNamespace(telemetry=EventTelemetry(told.append), emit=told.append)
    reports = FillReports(cast(Parts, parts))
    for state in states:
        reports.step(state)
    counts: dict[str, float] = {}
    for event in (one for one in told if one["event"] == "count"):
        counts[event["labels"]["outcome"]] = counts.get(event["labels"]["outcome"], 0) + event["amount"]
    lines = [f"{one['level']}: {one['text']}" for one in told if one["event"] == "warning"]
    return lines, counts, [one["value"] for one in told if one["event"] == "level"]


def test_where_nothing_is_lost_nothing_is_said() -> None:
    assert told_of(BackfillState(), BackfillState()) == ([], {}, [0, 0])


def test_documents_that_were_filled_give_a_line_at_the_start_and_one_at_the_end() -> None:
    lines, counts, sought = told_of(
        BackfillState(),
        BackfillState(sought=5),
        BackfillState(sought=2, documents={"file": 3}),
        BackfillState(documents={"file": 3, "tiled": 2}),
        BackfillState(documents={"file": 3, "tiled": 2}),
    )
    assert [line.partition(":")[0] for line in lines] == ["info", "info"]
    assert "5 frames or events are missing" in lines[0]
    assert lines[1].endswith("3 from file, 2 from tiled")
    assert counts == {"file": 3, "tiled": 2}
    assert sought == [0, 5, 2, 0, 0]


def test_what_was_not_to_be_had_and_why_tiled_did_not_help_is_a_warning() -> None:
    lines, counts, _ = told_of(
        BackfillState(sought=4, unreachable="refused"),
        BackfillState(sought=4, unreachable="refused", documents={"file": 1}),
        BackfillState(given_up=3, unreachable="refused", documents={"file": 1}),
    )
    assert [line.partition(":")[0] for line in lines] == ["info", "warning", "warning"]
    assert "refused" in lines[1]
    assert "3 frames or events were not to be had again; had again: 1 from file" in lines[2]
    assert counts == {"file": 1, "given_up": 3}
