"""A real server whose answers go wrong on the way: what is asked again, what waits, what is set aside."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from streamlcn.model import Scan
from streamlcn.store import LocalTiled, SpoolStore, StoreSettings, TiledStore, fetch_result
from tests.store.contract import a_scan
from tests.store.front import Front, front_of

VOLUME = np.random.default_rng(0).normal(size=(12, 8, 8)).astype(np.float32)
RETRY_S = 5.0

pytestmark = pytest.mark.slow


@pytest.fixture
def front(tiled: LocalTiled) -> Iterator[Front]:
    with front_of(tiled.uri) as made:
        yield made


class Away:
    """A spooling store at a bad line; time passes when it is told to."""

    def __init__(self, front: Front, key: str | None, folder: Path) -> None:
        self.now = 0.0
        settings = StoreSettings(uri=front.uri, block_mb=0.001, timeout_s=2.0)
        inner = TiledStore(settings, key, sleep=lambda _seconds: None)
        self.store = SpoolStore(inner, folder, retry_s=RETRY_S, clock=lambda: self.now)

    def write(self, scan: Scan) -> None:
        with self.store.open(scan, "r", {"profile": "p05"}) as result:
            result.create_array("reconstruction", VOLUME.shape, VOLUME.dtype, {})
            result.write_array("reconstruction", 0, VOLUME[:6])
            result.write_array("reconstruction", 6, VOLUME[6:])
            result.write_table("lacunae", {"id": np.arange(3)})
            result.commit("complete", {"lcn": {"porosity": 0.04}})

    def deliver_later(self) -> int:
        self.now += 2 * RETRY_S
        return self.store.deliver()


def assert_whole(tiled: LocalTiled, scan: Scan) -> None:
    found = fetch_result(tiled.uri, tiled.api_key, scan.uid)
    np.testing.assert_array_equal(found.arrays["reconstruction"], VOLUME)
    assert list(found.tables["lacunae"]["id"]) == [0, 1, 2]
    assert found.metadata["status"] == "complete"
    assert found.metadata["lcn"] == {"porosity": 0.04}


@pytest.mark.parametrize("fault", [500, 503, 429, "lost 500", "cut"])
def test_the_first_answer_to_each_request_is_bad(
    tiled: LocalTiled, front: Front, tmp_path: Path, fault: int | str
) -> None:
    away, scan = Away(front, tiled.api_key, tmp_path), a_scan()
    front.fault = lambda times, _method: None if times else fault
    away.write(scan)
    assert away.store.spooled == 0  # asked again, and that was enough
    away.store.close()
    assert_whole(tiled, scan)


@pytest.mark.parametrize(("fault", "good"), [(500, 0), (403, 0), (403, 6), ("lost 500", 6), ("cut", 3)])
def test_bad_answers_from_some_request_on(
    tiled: LocalTiled, front: Front, tmp_path: Path, fault: int | str, good: int
) -> None:
    away, scan = Away(front, tiled.api_key, tmp_path), a_scan()
    front.fault = lambda _times, _method: fault if front.requests.total() > good else None
    away.write(scan)
    assert away.store.is_away
    assert away.store.spooled == 1
    assert away.deliver_later() == 0
    front.fault = lambda _times, _method: None
    assert away.deliver_later() == 1
    assert (away.store.spooled, away.store.is_away, away.deliver_later()) == (0, False, 0)
    away.store.close()
    assert_whole(tiled, scan)


def test_results_that_waited_come_in_order(tiled: LocalTiled, front: Front, tmp_path: Path) -> None:
    away, scans = Away(front, tiled.api_key, tmp_path), [a_scan() for _ in range(3)]
    front.fault = lambda _times, _method: 500
    for scan in scans:
        away.write(scan)
    front.fault = lambda times, _method: None if times % 2 else 503
    assert away.deliver_later() == 3
    away.store.close()
    for scan in scans:
        assert_whole(tiled, scan)


def test_a_refusal_that_passes_costs_nothing(tiled: LocalTiled, front: Front, tmp_path: Path) -> None:
    away, scans = Away(front, tiled.api_key, tmp_path), [a_scan(), a_scan()]
    front.fault = lambda _times, method: 409 if method == "PUT" else None
    away.write(scans[0])
    assert away.store.spooled == 1
    front.fault = lambda _times, _method: None
    away.write(scans[1])
    away.deliver_later()
    assert away.store.spooled == 0
    away.store.close()
    for scan in scans:
        assert_whole(tiled, scan)
