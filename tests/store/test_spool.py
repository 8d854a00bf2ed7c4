"""Nothing is lost while the inner store is away: at the opening, midway, at the commit, for good."""

from __future__ import annotations

import resource
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamlcn.errors import BadInput, StoreFailed
from streamlcn.model import Scan
from streamlcn.ports import ResultStore, ScanResult
from streamlcn.store import MemoryStore, SpoolStore, StoredResult
from streamlcn.store._refused import ResultRefused
from tests.store.contract import ResultStoreContract, a_scan


class Flaky:
    """A memory store that fails from the ``calls_left``-th call on, as a server that goes away does."""

    def __init__(self) -> None:
        self.inner = MemoryStore()
        self.calls_left: float = float("inf")
        self.error: type[StoreFailed] = StoreFailed
        self.opened: list[str] = []

    def spend(self) -> None:
        if self.calls_left <= 0:
            raise self.error("away")
        self.calls_left -= 1

    def open(self, scan: Scan, recipe_hash: str, metadata: Mapping[str, Any]) -> ScanResult:
        self.spend()
        self.opened.append(scan.uid)
        return _FlakyResult(self, self.inner.open(scan, recipe_hash, metadata))

    def close(self) -> None:
        self.inner.close()


class _FlakyResult:
    def __init__(self, store: Flaky, inner: ScanResult) -> None:
        self._store, self._inner = store, inner

    def __enter__(self) -> ScanResult:
        return self

    def __exit__(self, *exc: object) -> None:
        self._inner.__exit__(*exc)

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any) -> Any:
            self._store.spend()
            return getattr(self._inner, name)(*args)

        return self._inner.uri if name == "uri" else call


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def write_one(store: ResultStore, scan: Scan, value: int = 7) -> None:
    with store.open(scan, "r", {"profile": "p05", "completeness": {"expected": 4}}) as result:
        result.create_array("labels", (4, 3, 3), np.uint8, {"unit": "class"})
        result.write_array("labels", 2, np.full((2, 3, 3), value, np.uint8))
        result.write_array("labels", 0, np.full((2, 3, 3), value, np.uint8))
        result.write_table("lacunae", {"id": np.arange(2), "name": np.array(["x", "ÿ"])})
        result.update({"completeness": {"used": 3}})
        result.commit("partial", {"lcn": {"porosity": 0.25, "bad": float("nan")}})


def assert_written(stored: StoredResult, value: int = 7) -> None:
    assert stored.arrays["labels"].tolist() == np.full((4, 3, 3), value).tolist()
    assert stored.arrays["labels"].dtype == np.uint8
    assert stored.array_metadata["labels"] == {"unit": "class"}
    assert list(stored.tables["lacunae"]["name"]) == ["x", "ÿ"]
    assert stored.metadata["status"] == "partial"
    assert stored.metadata["profile"] == "p05"
    assert stored.metadata["completeness"] == {"expected": 4, "used": 3}
    assert stored.metadata["lcn"] == {"porosity": 0.25, "bad": None}


class TestSpoolStore(ResultStoreContract):
    """With the inner store there all the time, it behaves as any other."""

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path
        self.inner = MemoryStore()

    def make(self) -> ResultStore:
        return SpoolStore(self.inner, self.folder)

    def look(self, store: ResultStore, uid: str, recipe_hash: str) -> StoredResult:
        assert not list(self.folder.iterdir())
        return self.inner.results[uid, recipe_hash]


class TestSpoolOnly(ResultStoreContract):
    """With the inner store away until the end, what is delivered is what was written."""

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path
        self.flaky, self.clock = Flaky(), Clock()
        self.flaky.calls_left = 0

    def make(self) -> ResultStore:
        return SpoolStore(self.flaky, self.folder, clock=self.clock, retry_s=1.0)

    def look(self, store: ResultStore, uid: str, recipe_hash: str) -> StoredResult:
        assert isinstance(store, SpoolStore)
        self.flaky.calls_left = float("inf")
        self.clock.now += 2.0
        store.deliver()
        assert store.spooled == 0
        self.flaky.calls_left = 0
        return self.flaky.inner.results[uid, recipe_hash]


@pytest.mark.parametrize("calls", range(8))
def test_going_away_at_any_call_loses_nothing(tmp_path: Path, calls: int) -> None:
    flaky, clock, scan = Flaky(), Clock(), a_scan()
    store = SpoolStore(flaky, tmp_path, retry_s=10.0, clock=clock)
    flaky.calls_left = calls
    write_one(store, scan)
    is_committed = calls == 7  # open, create, two blocks, table, update, commit
    assert store.spooled == (0 if is_committed else 1)
    assert store.is_away is not is_committed
    flaky.calls_left = float("inf")
    assert store.deliver() == 0  # it rests for 10 s after a failure
    clock.now = 10.0
    assert store.deliver() == (0 if is_committed else 1)
    assert_written(flaky.inner.results[scan.uid, "r"])
    assert (store.spooled, store.is_away, list(tmp_path.iterdir())) == (0, False, [])


def test_results_are_delivered_in_order_after_a_restart(tmp_path: Path) -> None:
    flaky = Flaky()
    flaky.calls_left = 0
    scans = [a_scan() for _ in range(12)]
    for value, scan in enumerate(scans):
        write_one(SpoolStore(flaky, tmp_path), scan, value)
    flaky.calls_left = float("inf")
    store = SpoolStore(flaky, tmp_path)
    assert store.spooled == 12
    assert store.deliver() == 12
    assert flaky.opened == [scan.uid for scan in scans]
    for value, scan in enumerate(scans):
        assert_written(flaky.inner.results[scan.uid, "r"], value)


def test_an_overtaken_result_is_not_delivered(tmp_path: Path) -> None:
    flaky, clock, scan = Flaky(), Clock(), a_scan()
    store = SpoolStore(flaky, tmp_path, retry_s=1.0, clock=clock)
    flaky.calls_left = 0
    write_one(store, scan, 1)
    flaky.calls_left, clock.now = float("inf"), 2.0
    write_one(store, scan, 2)
    assert store.spooled == 0
    assert_written(flaky.inner.results[scan.uid, "r"], 2)


def test_a_failed_result_is_delivered_as_failed(tmp_path: Path) -> None:
    flaky, clock, scan = Flaky(), Clock(), a_scan()
    flaky.calls_left = 0
    store = SpoolStore(flaky, tmp_path, retry_s=1.0, clock=clock)
    with store.open(scan, "r", {}) as result:
        result.fail("no flats", {"warnings": ["no flats"]})
    flaky.calls_left, clock.now = float("inf"), 2.0
    assert store.deliver() == 1
    metadata = flaky.inner.results[scan.uid, "r"].metadata
    assert (metadata["status"], metadata["reason"]) == ("failed", "no flats")


def test_leaving_without_a_commit_leaves_no_file(tmp_path: Path) -> None:
    flaky, scan = Flaky(), a_scan()
    store = SpoolStore(flaky, tmp_path)
    with pytest.raises(ZeroDivisionError), store.open(scan, "r", {}):
        _ = 1 / 0
    assert list(tmp_path.iterdir()) == []
    assert flaky.inner.results[scan.uid, "r"].metadata["status"] == "failed"


def test_what_a_killed_process_left_half_written_is_removed(tmp_path: Path) -> None:
    (tmp_path / "00000001-u-r.partial").mkdir()
    (tmp_path / "00000001-u-r.partial" / "labels.npy").write_bytes(b"half")
    assert SpoolStore(MemoryStore(), tmp_path).spooled == 0
    assert list(tmp_path.iterdir()) == []


@contextmanager
def small_disk(most_bytes: int) -> Iterator[None]:
    """Let no file of this process grow beyond ``most_bytes``, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def write_much(store: ResultStore, scan: Scan) -> None:
    with store.open(scan, "r", {}) as result:
        result.create_array("labels", (40, 256, 256), np.uint8, {})
        for start in range(0, 40, 10):
            result.write_array("labels", start, np.full((10, 256, 256), 1 + start, np.uint8))
        result.commit("complete", {})


def test_a_full_disk_is_no_harm_while_the_store_is_there(tmp_path: Path) -> None:
    inner, scan = MemoryStore(), a_scan()
    with small_disk(1_000_000):
        write_much(SpoolStore(inner, tmp_path), scan)
    stored = inner.results[scan.uid, "r"]
    assert stored.metadata["status"] == "complete"
    assert stored.arrays["labels"][::10, 0, 0].tolist() == [1, 11, 21, 31]
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_and_no_store_is_said(tmp_path: Path) -> None:
    flaky = Flaky()
    flaky.calls_left = 0
    store = SpoolStore(flaky, tmp_path)
    with (
        small_disk(1_000_000),
        pytest.raises(StoreFailed, match=r"the spool cannot be written .*make room in"),
    ):
        write_much(store, a_scan())
    assert (store.spooled, list(tmp_path.iterdir())) == (0, [])


def test_a_spool_that_is_gone_is_no_harm_while_the_store_is_there(tmp_path: Path) -> None:
    flaky, clock, scan = Flaky(), Clock(), a_scan()
    store = SpoolStore(flaky, tmp_path / "spool", clock=clock)
    (tmp_path / "spool").rmdir()
    (tmp_path / "spool").write_text("no folder any more")
    write_one(store, scan)
    assert_written(flaky.inner.results[scan.uid, "r"])
    assert (store.spooled, store.deliver()) == (0, 0)
    flaky.calls_left = 0
    with pytest.raises(StoreFailed, match=r"store is away and the spool .* cannot be written"):
        write_one(store, scan)
    with pytest.raises(BadInput, match=r"give store\.spool_dir a folder"):
        SpoolStore(flaky, tmp_path / "spool")


def test_one_bad_file_does_not_hold_up_the_others(tmp_path: Path) -> None:
    flaky, clock, good = Flaky(), Clock(), a_scan()
    (tmp_path / "00000001-u-r").mkdir()
    (tmp_path / "00000001-u-r" / "result.json").write_bytes(b"not JSON")
    store = SpoolStore(flaky, tmp_path, retry_s=1.0, clock=clock)
    flaky.calls_left = 0
    write_one(store, good)
    flaky.calls_left, clock.now = float("inf"), 2.0
    assert store.deliver() == 1
    assert_written(flaky.inner.results[good.uid, "r"])
    assert [path.name for path in tmp_path.iterdir()] == ["00000001-u-r.refused"]


def test_what_the_store_will_never_take_is_set_aside(tmp_path: Path) -> None:
    flaky, clock = Flaky(), Clock()
    flaky.calls_left, flaky.error = 0, ResultRefused
    store = SpoolStore(flaky, tmp_path, retry_s=1.0, clock=clock)
    write_one(store, a_scan())
    assert store.deliver() == 0
    assert (store.spooled, store.is_away) == (0, False)
    assert [path.suffix for path in tmp_path.iterdir()] == [".refused"]
