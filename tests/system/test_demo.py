"""The demonstration as people run it, and as they interrupt it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
from house import until


def relatives(folder: Path) -> list[str]:
    """Command lines of processes that speak of ``folder`` or that work in an environment made for it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            mark = str(folder).encode()
            if mark in (process / "cmdline").read_bytes() or mark in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


def start(folder: Path, size: str, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "streamlcn", "demo", "--size", size, "--keep", str(folder), *options]
    environ = {**os.environ, "SIMULATORS_CACHE": str(folder.parent / "cache")}
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environ,
        start_new_session=True,
    )


@pytest.mark.slow
def test_the_demonstration_sets_a_measured_network_beside_the_true_one(tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    process = start(folder, "tiny", "--json")
    printed, said = process.communicate(timeout=280)
    assert process.returncode == 0, said
    told = json.loads(printed)
    assert told["metadata"]["status"] == "complete"
    assert told["metadata"]["raw_uid"] == told["uid"]
    assert told["metadata"]["completeness"]["projections_used"] == 90
    assert 0.005 < told["comparison"]["truth"]["lcn"]["porosity"] < 0.04
    assert told["seconds"]["last_projection_to_readable"] > 0
    assert Path(told["figure"]).read_bytes().startswith(b"\x89PNG")
    assert {"live page", "telemetry", "tiled"} == told["urls"].keys()
    until(lambda: not relatives(tmp_path), f"end of {relatives(tmp_path)}", 15.0)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_network_finds_what_is_in_the_phantom(tmp_path: Path) -> None:
    process = start(tmp_path / "demo", "small", "--json")
    printed, said = process.communicate(timeout=580)
    assert process.returncode == 0, said
    told = json.loads(printed)
    dice = told["comparison"]["dice"]
    assert dice["lcn"] > 0.8
    assert dice["background"] > 0.95
    measured, truth = told["metadata"]["lcn"]["porosity"], told["comparison"]["truth"]["lcn"]["porosity"]
    assert measured == pytest.approx(truth, rel=0.25)
    assert not told["metadata"]["ood"]["flag"]
    sure = told["metadata"]["uncertainty"]
    assert sure["porosity_low"] < truth < sure["porosity_high"]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["proxy", "daemon", "simulated-beamline"])
def test_an_interrupt_at_any_moment_leaves_no_process_behind(
    tmp_path: Path, number: signal.Signals, moment: str
) -> None:
    folder = tmp_path / "demo"
    process = start(folder, "tiny")
    until(lambda: (folder / "logs" / f"{moment}.log").exists(), f"start of the {moment}")
    process.send_signal(number)
    process.communicate(timeout=90)
    assert process.returncode == 130
    until(lambda: not relatives(tmp_path), f"end of {relatives(tmp_path)}", 15.0)
