"""The doctor looks at workers, too."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamlcn import compose
from streamlcn.cli._check_cluster import check_workers
from streamlcn.cli._finding import Subject
from streamlcn.errors import BadInput
from streamlcn.profile import load_profile
from streamlcn.telemetry import NullTelemetry
from tests.distributed.processes import DaskProcesses


def subject(address: str, shared: Path) -> Subject:
    compute = {"backend": "dask", "scheduler": address.removeprefix("tcp://"), "shared_dir": str(shared)}
    return Subject(load_profile("anatomix", {"compute": {**compute, "connect_s": 2.0}}), {})


def test_workers_that_see_the_folder_are_well(dask: DaskProcesses, tmp_path: Path) -> None:
    dask.have(1)
    finding = check_workers(subject(dask.address, tmp_path / "shared"))
    assert finding.state == "green", finding.text
    assert "workers at tcp://127.0.0.1" in finding.text
    assert list((tmp_path / "shared").iterdir()) == []


def test_a_scheduler_that_is_not_there_is_said(tmp_path: Path) -> None:
    finding = check_workers(subject("tcp://127.0.0.1:1", tmp_path))
    assert finding.state == "red"
    assert "compute.scheduler" in str(finding.remedy)


def test_who_asks_for_no_workers_needs_none() -> None:
    assert check_workers(Subject(load_profile("anatomix"), {})).state == "green"


def test_a_daemon_without_dask_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compose, "find_spec", lambda _: None)
    profile = subject("tcp://127.0.0.1:1", tmp_path).profile
    with pytest.raises(BadInput, match=r"pip install 'streamlcn\[distributed\]'"):
        compose.make_parts(profile, telemetry=NullTelemetry(), emit=lambda _: None)
