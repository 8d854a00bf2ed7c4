"""The daemon as a beamline with a cluster runs it: workers die while the sample turns, and the daemon too."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx
import pytest
from house import House, result_of, until

from streamlcn.store import LocalTiled, StoredResult
from tests.distributed.processes import DaskProcesses
from tests.service.bench import Bench, assert_same
from tests.service.rod import journal, recorded, uid_of


def alone(directory: Path) -> StoredResult:
    """Return what one process makes of the scan."""
    bench = Bench(directory)
    journal(bench.journal, recorded())
    bench.run()
    return bench.result(recorded())


def compute(dask: DaskProcesses, shared: Path) -> str:
    """Return the section of a profile that names the scheduler."""
    return f"{{backend: dask, scheduler: '{dask.address.partition('://')[2]}', shared_dir: {shared}}}"


def metric(house: House, name: str) -> float:
    """Return a number of the daemon's exporter."""
    text = httpx.get(f"{house.url}/metrics", trust_env=False).text
    found = re.search(rf"^streamlcn_{re.escape(name)} (\S+)$", text, re.M)
    return float(found[1]) if found else -1.0


@pytest.mark.slow
def test_a_live_scan_survives_its_workers_and_its_daemon(
    open_house: Callable[..., House], tiled: LocalTiled, tmp_path: Path
) -> None:
    documents = recorded()
    shared, logs = tmp_path / "shared", tmp_path / "dask"
    logs.mkdir()
    with closing(DaskProcesses(logs)) as dask:
        dask.have(2)
        house = open_house(compute=compute(dask, shared))
        house.start()
        house.publish(documents[:50])
        until(lambda: metric(house, 'compute_tasks_total{stage="reconstruct"}') > 0, "work while it runs")
        dask.workers[0].kill()
        house.publish(documents[50:60])
        house.kill_daemon()
        dask.add_worker()
        house.start()
        house.publish(documents[60:])
        result = result_of(tiled.uri, tiled.api_key, uid_of(documents))
        assert result.metadata["reconstruction"]["ran"] == f"fbp on dask at {dask.address}"
        assert result.metadata["warnings"] == []
        assert_same(result, alone(tmp_path / "alone"))
        assert metric(house, 'compute_seconds_total{stage="reconstruct"}') > 0
        assert metric(house, "compute_fallbacks_total") == 0
        until(lambda: not list(shared.iterdir()), "empty folder")
