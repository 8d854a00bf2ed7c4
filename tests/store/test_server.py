from __future__ import annotations

import os
import select
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from streamlcn.errors import StoreFailed
from streamlcn.store import LocalTiled, start_local_tiled


def test_it_answers_its_key_alone(tiled: LocalTiled) -> None:
    import httpx

    address = f"{tiled.uri}/api/v1/metadata/"
    assert httpx.get(address).status_code == 401
    assert httpx.get(address, headers={"Authorization": "Apikey wrong"}).status_code == 401
    assert httpx.get(address, headers={"Authorization": f"Apikey {tiled.api_key}"}).status_code == 200


def test_the_key_is_in_no_process_list_and_no_open_file(tiled: LocalTiled) -> None:
    command = Path(f"/proc/{tiled.process.pid}/cmdline").read_bytes()
    assert tiled.api_key.encode() not in command
    assert stat.S_IMODE((tiled.directory / "config.yml").stat().st_mode) == 0o600
    assert tiled.api_key not in tiled.log.read_text()


def test_ctrl_c_in_our_terminal_does_not_reach_it(tiled: LocalTiled) -> None:
    assert os.getsid(tiled.process.pid) == tiled.process.pid
    assert os.getsid(0) != tiled.process.pid


def test_nothing_is_stored_by_duckdb(tiled: LocalTiled) -> None:
    assert "duckdb" not in (tiled.directory / "config.yml").read_text()
    assert not list(tiled.directory.rglob("*.duckdb"))


@pytest.mark.slow
def test_one_that_ends_at_once_shows_its_log(tmp_path: Path) -> None:
    (tmp_path / "catalog.db").write_text("this is no SQLite database")
    with (
        start_local_tiled(tmp_path) as server,
        pytest.raises(StoreFailed, match=r"(?s)ended with status.*database"),
    ):
        server.wait_ready()
    assert server.process.returncode is not None


def test_stopping_twice_or_after_it_died_is_no_error(tmp_path: Path) -> None:
    server = start_local_tiled(tmp_path)
    os.kill(server.process.pid, signal.SIGKILL)
    server.stop()
    server.stop()
    assert server.process.returncode == -signal.SIGKILL


def test_it_does_not_outlive_a_killed_starter(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "from streamlcn.store import start_local_tiled\n"
        "server = start_local_tiled(sys.argv[1])\n"
        "print(server.process.pid, flush=True)\n"
        "sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as starter:
        assert starter.stdout is not None
        handle = os.pidfd_open(int(starter.stdout.readline()))
        starter.kill()
    try:
        assert select.select([handle], [], [], 60)[0], "the server still runs"
    finally:
        os.close(handle)
