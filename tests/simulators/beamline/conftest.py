"""A real bluesky 0MQ proxy, a listener behind it, and the scan command in this process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from listening import Addresses, Listener

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TILED_RETRY_ATTEMPTS", "1")  # read when tiled is imported

_PROXY = """
from bluesky.callbacks.zmq import Proxy
proxy = Proxy("tcp://127.0.0.1", "tcp://127.0.0.1")
print(proxy.in_port, proxy.out_port, flush=True)
proxy.start()
"""


@pytest.fixture(scope="session", autouse=True)
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    old = os.environ.get("SIMULATORS_CACHE")
    os.environ["SIMULATORS_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    yield
    os.environ.pop("SIMULATORS_CACHE")
    if old is not None:
        os.environ["SIMULATORS_CACHE"] = old


@pytest.fixture(scope="session")
def proxy() -> Iterator[Addresses]:
    with subprocess.Popen([sys.executable, "-c", _PROXY], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield Addresses(*process.stdout.readline().split())
        process.kill()


@pytest.fixture
def listener(proxy: Addresses) -> Iterator[Listener]:
    one = Listener(proxy)
    yield one
    one.close()


@pytest.fixture
def scan(
    proxy: Addresses, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., dict[str, Any]]:
    """Run the scan command; returns the JSON object that it prints."""
    from simulators.scan import main

    def run(*options: str, expect: int = 0) -> dict[str, Any]:
        code = main(["--publish", proxy.inward, "--data-dir", str(tmp_path), "--json", *options])
        printed = capsys.readouterr()
        assert code == expect, printed.err
        told: dict[str, Any] = json.loads(printed.out)
        return told

    return run
