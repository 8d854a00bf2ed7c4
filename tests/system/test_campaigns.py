"""Many stored scans get new results by one command, and by the same command again none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from house import KEY_VARIABLE

from streamlcn.store import LocalTiled, fetch_result
from tests.servers import tiled_server
from tests.service.rod import folder, recorded, uid_of
from tests.system.raw import store_raw

ROOT = "campaigns"


@pytest.fixture(scope="module")
def tiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalTiled]:
    with tiled_server(tmp_path_factory.mktemp("tiled"), readable_storage=[folder()]) as server:
        yield server


def replay(tiled: LocalTiled, state: Path, *words: str, **settings: Any) -> tuple[int, dict[str, Any], str]:
    options = {
        "ingest.state_dir": str(state),
        "documents.files.allowed_roots": f"[{folder()}]",
        "segmentation": "{backend: otsu}",
        "store.uri": tiled.uri,
        "store.api_key_env": KEY_VARIABLE,
        "store.root": f"[{ROOT}]",
        **settings,
    }
    said = [word for key, value in options.items() for word in ("--set", f"{key}={value}")]
    command = [sys.executable, "-m", "streamlcn", "replay", *words, "--json", *said]
    environ = {**os.environ, KEY_VARIABLE: tiled.api_key}
    ended = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=250, check=False)
    return ended.returncode, json.loads(ended.stdout or "{}"), ended.stderr


@pytest.mark.slow
def test_a_campaign_goes_through_all_scans_once(tiled: LocalTiled, tmp_path: Path) -> None:
    runs = [recorded("resource"), recorded("inline")]
    for documents in runs:
        store_raw(tiled, documents)
        status, _, errors = replay(tiled, tmp_path, uid_of(documents), "anatomix")
        assert status == 0, errors
    query = ("--query", "status=complete,profile=anatomix", "--profile", "anatomix")
    larger: Any = {"morphometry.island_threshold_voxels": 5}
    for outcome in ("done", "skipped"):
        status, told, errors = replay(tiled, tmp_path, *query, **larger)
        assert status == 0, errors
        assert told["counts"] == {outcome: 2}
        assert {run["uid"] for run in told["runs"]} == {uid_of(documents) for documents in runs}
        for run in told["runs"]:
            assert run["old"]["recipe_hash"] != told["recipe_hash"] == run["new"]["recipe_hash"]
            found = fetch_result(tiled.uri, tiled.api_key, run["uid"], root=(ROOT,)).metadata
            assert found["recipe_hash"] == told["recipe_hash"]
            assert run["new"]["porosity"] == found["lcn"]["porosity"]
            assert run["new"]["lacunae"] == found["lacunae"]["count"]


@pytest.mark.slow
def test_a_query_and_a_source_are_not_both_said(tiled: LocalTiled, tmp_path: Path) -> None:
    status, _, errors = replay(tiled, tmp_path, "--query", "status=complete", "some.nxs", "anatomix")
    assert status == 2
    assert "takes the place of SOURCE" in errors
