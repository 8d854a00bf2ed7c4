"""Raw runs in tiled, as bluesky's own writer stores them: lost documents come back, old runs are replayed."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from house import KEY_VARIABLE, House, result_of

from streamlcn.store import LocalTiled, StoredResult
from tests.servers import tiled_server
from tests.service.bench import Bench, assert_same
from tests.service.rod import Documents, folder, journal, recorded, uid_of
from tests.system.raw import store_raw


@pytest.fixture(scope="module")
def tiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalTiled]:
    with tiled_server(tmp_path_factory.mktemp("tiled"), readable_storage=[folder()]) as server:
        yield server


def alone(directory: Path, documents: Documents) -> StoredResult:
    bench = Bench(directory)
    journal(bench.journal, documents)
    bench.run()
    return bench.result(documents)


@pytest.mark.slow
def test_a_fifth_of_all_documents_lost_changes_nothing(
    open_house: Callable[..., House], tiled: LocalTiled, tmp_path: Path
) -> None:
    documents = recorded("stream")
    store_raw(tiled, documents)
    dice = random.Random(7)
    arrived = [pair for pair in documents if dice.random() > 0.2]
    house = open_house(
        **{"documents.backfill.uri": tiled.uri, "documents.backfill.api_key_env": KEY_VARIABLE}
    )
    house.start()
    house.publish(arrived)
    found = result_of(tiled.uri, tiled.api_key, uid_of(documents))
    assert_same(found, alone(tmp_path / "alone", documents))


@pytest.mark.slow
@pytest.mark.parametrize("assets", ["resource", "inline"])
def test_a_raw_run_is_replayed_by_its_uid(tiled: LocalTiled, tmp_path: Path, assets: str) -> None:
    documents = recorded(assets, "step")
    store_raw(tiled, documents)
    expected = alone(tmp_path / "alone", documents)
    options = {
        "ingest.state_dir": str(tmp_path / "state"),
        "documents.files.allowed_roots": f"[{folder()}]",
        "segmentation": "{backend: otsu}",
        "morphometry.island_threshold_voxels": 5,
        "store.uri": tiled.uri,
        "store.api_key_env": KEY_VARIABLE,
        "store.root": f"[replayed-{assets}]",
    }
    words = [word for key, value in options.items() for word in ("--set", f"{key}={value}")]
    command = [sys.executable, "-m", "streamlcn", "replay", uid_of(documents), "anatomix", "--json", *words]
    environ = {**os.environ, KEY_VARIABLE: tiled.api_key}
    ended = subprocess.run(command, capture_output=True, text=True, env=environ, timeout=250, check=False)
    assert ended.returncode == 0, ended.stderr
    [told] = json.loads(ended.stdout)["results"]
    assert told["status"] == "complete"
    from streamlcn.store import fetch_result

    found = fetch_result(tiled.uri, tiled.api_key, uid_of(documents), root=(f"replayed-{assets}",))
    assert_same(found, expected)
