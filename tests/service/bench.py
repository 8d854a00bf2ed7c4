"""A worker with everything around it in this process, stepped by hand."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from streamlcn.compose import make_parts, make_worker
from streamlcn.pipeline import Parts
from streamlcn.service import Worker
from streamlcn.store import MemoryStore, StoredResult
from streamlcn.telemetry import NullTelemetry
from tests.service.rod import Documents, profile, uid_of


class Bench:
    """A journal, parts that outlive workers, and what operators were told."""

    def __init__(self, folder: Path, **overrides: Any) -> None:
        self.late_s = 0.0  # how far the worker's clock has been put forward
        self.told: list[Mapping[str, Any]] = []
        self.profile = profile(folder, **overrides)
        self.parts: Parts = make_parts(self.profile, telemetry=NullTelemetry(), emit=self.told.append)
        self.journal = self.profile.journal_dir
        self.journal.mkdir(parents=True)

    def worker(self) -> Worker:
        worker = make_worker(self.profile, self.parts)
        worker._wall = lambda: time.time() + self.late_s
        return worker

    def run(self) -> None:
        """Step a new worker until nothing is left."""
        with closing(self.worker()) as worker:
            while worker.step():
                pass
            for _ in range(5):
                self.late_s += 1
                worker.step()

    def result(self, documents: Documents) -> StoredResult:
        assert isinstance(self.parts.store, MemoryStore)
        return self.parts.store.results[uid_of(documents), self.parts.recipe.hash]

    def warnings(self) -> list[str]:
        return [event["text"] for event in self.told if event["event"] == "warning"]


def assert_same(one: StoredResult, other: StoredResult) -> None:
    assert one.arrays.keys() == other.arrays.keys()
    for key, values in one.arrays.items():
        assert np.array_equal(values, other.arrays[key]), key
    for key in ("status", "completeness", "centre", "lcn", "bone", "lacunae", "recipe_hash"):
        assert one.metadata[key] == other.metadata[key]
