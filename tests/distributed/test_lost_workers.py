"""Workers, schedulers and folders come and go in the middle of a scan; its bits stay."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamlcn.distributed import ClusterLost, _far
from streamlcn.ports import Reconstruction
from streamlcn.shortage import Shortage, hearing
from tests.distributed.far_scans import COUNT, FarScans, frame, local_volume, rules, volume_of
from tests.distributed.processes import PATIENCE_S, DaskProcesses
from tests.waiting import until

RULES = rules(centre={"value": 20.2})
HALF = COUNT // 2


@contextmanager
def half_a_scan(far: FarScans) -> Iterator[tuple[Reconstruction, list[Shortage]]]:
    """Open a scan, add half of it, and hear what goes wrong."""
    told: list[Shortage] = []
    with hearing(told.append), far.start(RULES) as session:
        for index in range(HALF):
            session.add(frame(index))
        yield session, told


def finish(session: Reconstruction) -> None:
    """Add the other half; the volume is that of one process."""
    assert np.array_equal(volume_of(session, range(HALF, COUNT)), local_volume(RULES, range(COUNT)))


@pytest.mark.slow
def test_a_killed_worker_costs_time_only(fragile: DaskProcesses, tmp_path: Path) -> None:
    fragile.have(2)
    far = FarScans(fragile.address, tmp_path, slab_rows=2)
    with half_a_scan(far) as (session, told):
        fragile.workers[0].kill()
        finish(session)
        assert session.description == f"fbp on dask at {fragile.address}"
    assert told == []
    assert far.told.levels["compute_workers"] <= 2


@pytest.mark.slow
def test_a_worker_killed_while_the_volume_is_fetched_costs_time_only(
    fragile: DaskProcesses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fragile.have(2)
    far = FarScans(fragile.address, tmp_path, slab_rows=2)
    submit = far.cluster.submit

    def submit_and_kill(*arguments: Any) -> Any:
        future = submit(*arguments)
        if arguments[1].is_last:
            fragile.workers[0].kill()
        return future

    with half_a_scan(far) as (session, told):
        monkeypatch.setattr(far.cluster, "submit", submit_and_kill)
        finish(session)
    assert fragile.workers[0].poll() is not None
    assert told == []


@pytest.mark.slow
def test_without_any_worker_left_this_computer_goes_on(fragile: DaskProcesses, tmp_path: Path) -> None:
    fragile.have(1)
    with half_a_scan(FarScans(fragile.address, tmp_path, patience_s=2)) as (session, told):
        fragile.workers[0].kill()
        lose(session, told, "had no worker for 2 s")


@pytest.mark.slow
def test_a_worker_that_joins_late_gets_work(
    fragile: DaskProcesses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fragile.have(1)
    far = FarScans(fragile.address, tmp_path, slab_rows=2)
    who: list[str] = []
    take = far.cluster.take
    monkeypatch.setattr(far.cluster, "take", lambda *of: [who.append((done := take(*of)).worker), done][1])
    with half_a_scan(far) as (session, told):
        fragile.have(2)
        until(lambda: far.cluster.look() or len(far.cluster.workers) == 2, "late worker", PATIENCE_S)
        finish(session)
    assert told == []
    assert len(set(who)) == 2


def lose(session: Reconstruction, told: list[Shortage], text: str) -> None:
    """The scan ends here, with a warning that says ``text``."""
    finish(session)
    assert session.description == "fbp on cpu"
    assert [text in loss.text and "went on alone" in loss.text for loss in told] == [True]


def test_a_scheduler_that_dies_leaves_the_scan_to_this_computer(
    fragile: DaskProcesses, tmp_path: Path
) -> None:
    fragile.have(1)
    far = FarScans(fragile.address, tmp_path)
    with half_a_scan(far) as (session, told):
        fragile.kill_scheduler()
        lose(session, told, "scheduler")
    assert far.told.counts["compute_fallbacks"] == 1
    assert list(tmp_path.iterdir()) == []


def test_a_loss_at_the_last_moment_finds_all_frames_still_here(
    dask: DaskProcesses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dask.have(1)

    def gone(*_: object) -> None:
        raise ClusterLost("the scheduler went home")

    monkeypatch.setattr(_far.FarVolume, "slabs", gone)
    with half_a_scan(FarScans(dask.address, tmp_path)) as (session, told):
        lose(session, told, "went home")


@pytest.mark.slow
def test_a_scheduler_that_hangs_is_given_up(fragile: DaskProcesses, tmp_path: Path) -> None:
    fragile.have(1)
    with half_a_scan(FarScans(fragile.address, tmp_path, patience_s=3)) as (session, told):
        fragile.scheduler.send_signal(signal.SIGSTOP)
        lose(session, told, "had no worker for 3 s")


def test_a_folder_that_is_gone_leaves_the_scan_to_this_computer(dask: DaskProcesses, tmp_path: Path) -> None:
    dask.have(1)
    with half_a_scan(FarScans(dask.address, tmp_path / "shared")) as (session, told):
        shutil.rmtree(tmp_path / "shared")
        lose(session, told, "No such file")


def test_workers_with_other_versions_are_not_used(
    dask: DaskProcesses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dask.have(1)
    monkeypatch.setattr(
        _far, "made_with", lambda: ("streamlcn 99", "numpy 2", "scipy 1", "numba 0", "torch 2")
    )
    with half_a_scan(FarScans(dask.address, tmp_path)) as (session, told):
        lose(session, told, "not streamlcn 99")


@pytest.mark.slow
def test_what_a_killed_coordinator_left_does_no_harm(dask: DaskProcesses, tmp_path: Path) -> None:
    dask.have(2)
    left = FarScans(dask.address, tmp_path).start(RULES)
    for index in range(HALF):
        left.add(frame(index))
    with half_a_scan(FarScans(dask.address, tmp_path)) as (session, told):
        finish(session)
    left.__exit__(None, None, None)
    assert told == []
