"""Stored scans are processed again once, and one that fails leaves the others alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from streamlcn.compose import make_assembler, make_parts
from streamlcn.errors import BadInput
from streamlcn.model import ScanUpdate
from streamlcn.service import Campaign
from streamlcn.store import FoundRun
from streamlcn.telemetry import NullTelemetry
from tests.service.rod import profile, recorded, uid_of

OLD = {"status": "partial", "lcn": {"porosity": 0.5}, "lacunae": {"count": 7}, "recipe_hash": "old"}


def test_each_scan_once(tmp_path: Path) -> None:
    rules = profile(tmp_path)
    uid = uid_of(recorded())
    asked: list[str] = []

    def updates_of(wanted: str) -> Iterator[ScanUpdate]:
        asked.append(wanted)
        if wanted == "absent":
            raise BadInput("there is no raw run absent")
        if wanted == uid:
            assembler = make_assembler(rules)(())
            for name, document in recorded():
                yield from assembler.handle(name, document, 0.0, None)
            yield from assembler.expire(float("inf"))

    events: list[Mapping[str, Any]] = []
    parts = make_parts(rules, telemetry=NullTelemetry(), emit=events.append)
    campaign = Campaign(updates_of, parts.recipe.hash)
    object.__setattr__(parts, "emit", campaign.hear)
    runs = [FoundRun(uid=each, old=OLD, new=None) for each in ("absent", "empty", uid)]
    there = FoundRun(uid="there", old=OLD, new={"status": "complete", "lcn": {"porosity": 0.4}})
    failed, empty, done, skipped = campaign.run([*runs, there], parts)
    assert asked == ["absent", "empty", uid]
    assert (failed.outcome, failed.reason) == ("failed", "there is no raw run absent")
    assert empty.outcome == "failed"
    assert "holds no scan" in empty.reason
    assert (done.outcome, done.old.lacunae, done.old.porosity) == ("done", 7, 0.5)
    assert done.new is not None
    assert (done.new.status, done.new.recipe_hash) == ("complete", parts.recipe.hash)
    stored = parts.store.results[uid, parts.recipe.hash].metadata  # type: ignore[attr-defined]
    assert done.new.porosity == stored["lcn"]["porosity"]
    assert done.new.lacunae == stored["lacunae"]["count"]
    assert (skipped.outcome, skipped.new and skipped.new.porosity) == ("skipped", 0.4)
