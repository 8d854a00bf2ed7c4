"""A scan goes in over 0MQ, its result comes out of tiled; processes die in between."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from house import House, result_of, until

from streamlcn.demo._processes import ChildDied
from streamlcn.store import LocalTiled, StoredResult, start_local_tiled
from tests.service.bench import Bench, assert_same
from tests.service.rod import journal, recorded, uid_of


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], StoredResult]:
    """What a scan gives when nothing happens, made in this process."""

    def make(assets: str) -> StoredResult:
        bench = Bench(tmp_path_factory.mktemp("bench"))
        journal(bench.journal, recorded(assets))
        bench.run()
        return bench.result(recorded(assets))

    return make


def test_a_scan_over_the_wire_ends_in_tiled_with_the_bits_of_a_replay(
    open_house: Callable[..., House], tiled: LocalTiled, undisturbed: Callable[[str], StoredResult]
) -> None:
    house = open_house()
    house.start()
    documents = recorded("stream")
    house.publish(documents)
    result = result_of(tiled.uri, tiled.api_key, uid_of(documents))
    assert_same(result, undisturbed("stream"))
    assert result.metadata["profile"] == "anatomix"
    until(lambda: house.ask("/api/status")["results"], "row of the result on the page")
    status = house.ask("/api/status")
    assert status["scan"]["phase"] == "complete"
    assert status["results"][0]["uid"] == uid_of(documents)
    assert house.ask("/livez")["live"]
    text = httpx.get(f"{house.url}/metrics", trust_env=False).text
    assert 'streamlcn_scans_total{outcome="complete"} 1.0' in text
    assert 'streamlcn_documents_received_total{name="start"} 1.0' in text
    assert house.stop() == 0


@pytest.mark.slow
def test_killed_processes_cost_time_only(
    open_house: Callable[..., House], tiled: LocalTiled, undisturbed: Callable[[str], StoredResult]
) -> None:
    house = open_house()
    house.start()
    documents = recorded("resource")
    house.publish(documents[:40])
    house.kill_worker()
    house.publish(documents[40:60])
    house.kill_daemon()
    house.start()
    house.publish(documents[60:])
    assert_same(result_of(tiled.uri, tiled.api_key, uid_of(documents)), undisturbed("resource"))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_fifty_kills_at_random_moments_change_nothing(
    open_house: Callable[..., House], tiled: LocalTiled, undisturbed: Callable[[str], StoredResult]
) -> None:
    dice = random.Random(20261126)
    house = open_house()
    house.start()
    documents = recorded("inline")
    cuts = sorted(dice.sample(range(1, len(documents)), 50))
    for start, stop in zip([0, *cuts], [*cuts, len(documents)], strict=True):
        house.publish(documents[start:stop])
        if stop == len(documents):
            break
        if dice.random() < 0.5:
            until(lambda: house.worker_pid() is not None, "worker")
            house.kill_worker()
        else:
            house.kill_daemon()
            house.start()
    assert_same(result_of(tiled.uri, tiled.api_key, uid_of(documents)), undisturbed("inline"))


@pytest.mark.slow
def test_results_wait_for_a_tiled_that_comes_late(
    open_house: Callable[..., House],
    tmp_path: Path,
    tiled: LocalTiled,
    undisturbed: Callable[[str], StoredResult],
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    house = open_house(uri=f"http://127.0.0.1:{port}")
    house.start()
    documents = recorded()
    house.publish(documents)
    until(lambda: (house.ask("/api/status").get("store") or {}).get("spooled") == 1, "spooled result")
    assert house.ask("/api/status")["store"]["degraded"]
    with start_local_tiled(tmp_path / "late", port=port, api_key=tiled.api_key) as late:
        late.wait_ready()
        assert_same(result_of(late.uri, late.api_key, uid_of(documents)), undisturbed("inline"))
        until(lambda: house.ask("/api/status")["store"]["spooled"] == 0, "empty spool")


def test_a_profile_that_its_worker_refuses_ends_the_daemon_with_status_2(
    open_house: Callable[..., House], tmp_path: Path
) -> None:
    house = open_house(segmentation="{backend: sensor3d, bundle: /nowhere}")
    with suppress(ChildDied):  # it may end before or after it is subscribed
        house.start()
    assert house.daemon.process.wait(60) == 2
    assert "/nowhere" in house.daemon.log.read_text()
