"""Runs without end: no memory, thread or file handle is kept."""

from __future__ import annotations

import gc
import resource
import threading
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.service.bench import Bench
from tests.service.rod import Documents, journal, recorded

RUNS = 300


def renamed(documents: Documents) -> Iterator[tuple[str, dict[str, Any]]]:
    """The same run under other uids."""
    names: dict[str, str] = {}

    def other(value: Any) -> Any:
        return (
            names.setdefault(value, str(uuid.uuid4()))
            if isinstance(value, str) and len(value) == 36
            else value
        )

    for name, document in documents:
        yield name, {key: other(value) for key, value in document.items()}


def footprint() -> tuple[float, int, int]:
    """Memory in MiB, threads, open files."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    files = len(list(Path("/proc/self/fd").iterdir()))
    return pages * resource.getpagesize() / 2**20, threading.active_count(), files


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_hundreds_of_runs_leave_nothing_behind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bench = Bench(tmp_path / "state", **{"ingest.journal.segment_mb": 1.0})
    good, bad = recorded(), recorded(fault="no-flats")
    results = bench.parts.store.results  # type: ignore[attr-defined]
    before: tuple[float, int, int] | None = None
    ended = 0
    with closing(bench.worker()) as worker:
        for number in range(RUNS):
            journal(bench.journal, renamed(bad if number % 3 == 2 else good))
            while worker.step():
                pass
            ended += sum(result.metadata["status"] in ("complete", "failed") for result in results.values())
            results.clear()
            bench.told.clear()
            if number == RUNS // 3:
                before = footprint()
    after = footprint()
    assert ended == RUNS
    assert before is not None
    with capsys.disabled():
        print(f"\n{RUNS} runs; MiB, threads, files: {before} after a third, {after} at the end")
    assert after[0] - before[0] < 30
    assert after[1] <= before[1]
    assert after[2] <= before[2]
