"""Ctrl-C and SIGTERM end a scan cleanly, whenever they come."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from listening import SMALL, decoded

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def command(proxy, data_dir, *options) -> Iterator[subprocess.Popen[str]]:
    """Run the scan command as a process group of its own; nothing of it is left afterwards."""
    words = [
        sys.executable,
        "-m",
        "simulators",
        "scan",
        "--publish",
        proxy.inward,
        "--data-dir",
        str(data_dir),
    ]
    process = subprocess.Popen(
        [*words, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def assert_gone(process, number, err):
    assert process.returncode == 128 + number, err
    assert "Traceback" not in err
    assert number.name in err
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


@pytest.mark.parametrize(
    ("number", "options"),
    [
        (signal.SIGINT, ("--assets", "inline", "--mode", "step")),
        (signal.SIGTERM, ("--assets", "stream", "--mode", "fly")),
        pytest.param(signal.SIGTERM, ("--assets", "stream", "--mode", "step"), marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, ("--assets", "resource", "--mode", "fly"), marks=pytest.mark.slow),
        pytest.param(signal.SIGTERM, ("--plan", "fxi"), marks=pytest.mark.slow),
        pytest.param(signal.SIGINT, ("--plan", "hex"), marks=pytest.mark.slow),
    ],
)
def test_during_the_scan(proxy, listener, tmp_path, number, options):
    slow = ("--period", "0.2", "--projections", "100")  # so that the signal finds it still running
    with command(proxy, tmp_path, *SMALL, *slow, "--json", *options) as process:
        seen: list[str] = []
        while "descriptor" not in seen:  # a flown scan describes its projections when it collects them, late
            seen += [decoded(message, "pickle")[0] for message in listener.messages(1)]
        process.send_signal(number)
        out, err = process.communicate(timeout=150)
    assert_gone(process, number, err)
    documents = [decoded(message, "pickle") for message in listener.rest()]
    assert documents[-1][0] == "stop"
    assert documents[-1][1]["exit_status"] == "abort"
    assert json.loads(out)["scans"][0]["exit_statuses"][-1] == "abort"


@pytest.mark.slow
@pytest.mark.parametrize("number", SIGNALS)
def test_while_preparing(proxy, listener, tmp_path, number):
    with command(proxy, tmp_path, "--size", "small", "--seed", str(number)) as process:
        assert process.stderr is not None
        while "preparing" not in process.stderr.readline():
            pass
        process.send_signal(number)
        _, err = process.communicate(timeout=150)
    assert_gone(process, number, err)
    assert listener.rest() == []


@pytest.mark.slow
@pytest.mark.parametrize("number", SIGNALS)
def test_while_waiting_for_a_proxy(proxy, tmp_path, number):
    nowhere = proxy.__class__("tcp://127.0.0.1:1", "")
    with command(nowhere, tmp_path, *SMALL, "--wait", "60") as process:
        assert process.stderr is not None
        while "preparing" not in process.stderr.readline():
            pass
        process.send_signal(number)
        _, err = process.communicate(timeout=150)
    assert_gone(process, number, err)
