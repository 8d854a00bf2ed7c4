"""tiled starts from the configuration that is deployed, and results can be written and searched there."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import yaml

from streamlcn.store import LocalTiled, StoreSettings, TiledStore
from tests.store.contract import a_scan

TILED = Path(__file__).parents[2] / "deploy" / "tiled"
KEY = "0123456789abcdef" * 4


@pytest.mark.slow
def test_the_configuration_for_one_host_serves_results(tmp_path: Path) -> None:
    from tiled.client import from_uri
    from tiled.queries import Key

    (tmp_path / "arrays").mkdir()
    environ = {key: value for key, value in os.environ.items() if not key.startswith("TILED_")}
    environ |= {"TILED_SINGLE_USER_API_KEY": KEY, "STORAGE_DIR": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "tiled", "serve", "config", str(TILED / "sqlite.yml")]
    with (tmp_path / "tiled.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", "0"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environ,
            start_new_session=True,
        )
    with LocalTiled(tmp_path, KEY, process) as server:
        uri = server.wait_ready(timeout_s=280.0)
        store = TiledStore(StoreSettings(uri=uri), KEY)
        with closing(store), store.open(a_scan("one"), "r1", {}) as result:
            result.write_table("lacunae", {"id": np.array([1, 2])})
            result.commit("complete", {"lcn": {"porosity": 0.03}})
        client = from_uri(uri, api_key=KEY)
        with closing(client.context):
            (uid,) = client["streamlcn"].search(Key("lcn.porosity") > 0.02)
            assert uid == "one"
            assert list(client["streamlcn"]["one"]["r1"]["lacunae"].read()["id"]) == [1, 2]
    assert (tmp_path / "catalog.db").exists()
    assert any((tmp_path / "arrays").rglob("*.*")), "tables of results are files, too"


@pytest.mark.parametrize("name", ["sqlite.yml", "postgres.yml"])
def test_tiled_takes_the_configuration(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from tiled.config import parse_configs

    monkeypatch.setenv("TILED_SINGLE_USER_API_KEY", KEY)
    monkeypatch.setenv("STORAGE_DIR", "/srv/tiled")
    monkeypatch.setenv("CATALOG_URI", "postgresql+asyncpg://tiled:secret@postgres:5432/catalog")
    monkeypatch.setenv("TABLES_URI", "postgresql://tiled:secret@postgres:5432/tables")
    known = parse_configs(TILED / name)
    assert known.authentication.single_user_api_key == KEY
    assert not known.authentication.allow_anonymous_access
    (tree,) = known.trees
    assert "$" not in str(tree.args), "a variable that nobody sets"
    uses = set(yaml.safe_load((TILED / name).read_text())["trees"][0]["args"]["writable_storage"])
    assert not any("duckdb" in place for place in uses)
