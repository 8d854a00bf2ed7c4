"""A real server is killed in the middle of a result and comes back."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest

from streamlcn.store import SpoolStore, StoreSettings, TiledStore, fetch_result, start_local_tiled
from tests.store.contract import a_scan

pytestmark = pytest.mark.slow


def test_a_server_killed_mid_result_gets_it_later(tmp_path: Path) -> None:
    scan, clock = a_scan("killed"), [0.0]
    volume = np.random.default_rng(0).normal(size=(20, 16, 16)).astype(np.float32)
    server = start_local_tiled(tmp_path / "tiled", api_key="secret")
    with server:
        port = urlsplit(server.wait_ready()).port
        assert port is not None
        settings = StoreSettings(uri=server.uri, block_mb=0.004)
        inner = TiledStore(settings, "secret", sleep=lambda _seconds: None)
        store = SpoolStore(inner, tmp_path / "spool", retry_s=5.0, clock=lambda: clock[0])
        with store.open(scan, "r", {"profile": "p05"}) as result:
            result.create_array("reconstruction", volume.shape, volume.dtype, {})
            result.write_array("reconstruction", 0, volume[:10])
            os.kill(server.process.pid, signal.SIGKILL)
            server.process.wait()
            result.write_array("reconstruction", 10, volume[10:])
            result.write_table("lacunae", {"id": np.arange(3)})
            result.commit("complete", {"lcn": {"porosity": 0.04}})
        assert store.spooled == 1
        clock[0] = 6.0
        assert store.deliver() == 0  # still dead
        assert store.spooled == 1

    with start_local_tiled(tmp_path / "tiled", port=port, api_key="secret") as again:
        again.wait_ready()
        clock[0] = 12.0
        assert store.deliver() == 1
        assert store.spooled == 0
        found = fetch_result(again.uri, "secret", scan.uid)
        store.close()
    np.testing.assert_array_equal(found.arrays["reconstruction"], volume)
    assert list(found.tables["lacunae"]["id"]) == [0, 1, 2]
    assert found.metadata["status"] == "complete"
    assert found.metadata["lcn"] == {"porosity": 0.04}


def test_a_server_away_at_start_up_costs_nothing_but_time(tmp_path: Path) -> None:
    settings = StoreSettings(uri="http://127.0.0.1:9")
    store = SpoolStore(TiledStore(settings, "k", sleep=lambda _seconds: None), tmp_path)
    with store.open(a_scan(), "r", {}) as result:
        result.commit("complete", {})
    assert store.spooled == 1
    store.close()
