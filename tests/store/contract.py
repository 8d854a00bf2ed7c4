"""What every store promises; a backend's tests inherit this and say how to make one and look inside."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamlcn.errors import StoreFailed
from streamlcn.model import Scan
from streamlcn.ports import ResultStore
from streamlcn.store import StoredResult

_numbers = itertools.count()


def a_scan(uid: str | None = None) -> Scan:
    """Return a scan whose uid no other test has."""
    name = uid or f"uid-{next(_numbers)}"
    return Scan(uid=name, projection_count=9, detector_shape=(5, 7), voxel_size_um=0.1)


class ResultStoreContract:
    """Subclasses give ``make`` (a store) and ``look`` (a stored result, read past the port)."""

    def make(self) -> ResultStore:
        raise NotImplementedError

    def look(self, store: ResultStore, uid: str, recipe_hash: str) -> StoredResult:
        raise NotImplementedError

    @pytest.fixture
    def store(self) -> Iterator[ResultStore]:
        with closing(self.make()) as store:
            yield store

    def test_what_is_written_is_read(self, store: ResultStore) -> None:
        scan, volume = a_scan(), np.random.default_rng(1).normal(size=(11, 6, 5)).astype(np.float32)
        with store.open(scan, "r1", {"profile": "p05", "lcn": {"porosity": None, "kept": 2}}) as result:
            for key, array in {"reconstruction": volume, "labels": (volume > 0).astype(np.uint8)}.items():
                result.create_array(key, array.shape, array.dtype, {"unit": key})
                result.write_array(key, 0, array)
            result.create_array("preview/xy", (6, 5), np.float32, {})
            result.write_array("preview/xy", 0, volume[3])
            result.write_table("lacunae", {"id": np.arange(3), "name": np.array(["a", "b", "c"])})
            result.write_table("empty", {"x_um": np.empty(0)})
            result.commit("complete", {"lcn": {"porosity": np.float64(0.05), "bad": float("nan")}})
        found = self.look(store, scan.uid, "r1")
        np.testing.assert_array_equal(found.arrays["reconstruction"], volume)
        np.testing.assert_array_equal(found.arrays["labels"], volume > 0)
        np.testing.assert_array_equal(found.arrays["preview/xy"], volume[3])
        assert found.arrays["labels"].dtype == np.uint8
        assert found.array_metadata["labels"] == {"unit": "labels"}
        assert list(found.tables["lacunae"]) == ["id", "name"]
        assert list(found.tables["lacunae"]["id"]) == [0, 1, 2]
        assert list(found.tables["lacunae"]["name"]) == ["a", "b", "c"]
        assert list(found.tables["empty"]["x_um"]) == []
        assert found.metadata["status"] == "complete"
        assert found.metadata["lcn"] == {"porosity": 0.05, "kept": 2, "bad": None}
        assert (found.metadata["raw_uid"], found.metadata["recipe_hash"]) == (scan.uid, "r1")

    @settings(
        max_examples=8,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    )
    @given(data=st.data())
    def test_pieces_in_any_order_give_the_whole(self, store: ResultStore, data: st.DataObject) -> None:
        depth = data.draw(st.integers(1, 17))
        cuts = sorted(data.draw(st.sets(st.integers(1, depth - 1)))) if depth > 1 else []
        pieces = list(itertools.pairwise([0, *cuts, depth]))
        order = data.draw(st.permutations(pieces + pieces[: data.draw(st.integers(0, 2))]))
        volume = np.random.default_rng(depth).integers(0, 99, (depth, 3, 4)).astype(np.int32)
        scan = a_scan()
        with store.open(scan, "r", {}) as result:
            result.create_array("cells", volume.shape, np.int32, {})
            for start, stop in order:
                block = volume[start:stop].copy()
                result.write_array("cells", start, block)
                block[:] = -1  # the caller may use its memory again
            result.commit("complete", {})
        np.testing.assert_array_equal(self.look(store, scan.uid, "r").arrays["cells"], volume)

    def test_a_piece_written_again_replaces(self, store: ResultStore) -> None:
        scan, volume = a_scan(), np.arange(11 * 12, dtype=np.uint8).reshape(11, 3, 4)
        with store.open(scan, "r", {}) as result:
            result.create_array("labels", volume.shape, np.uint8, {})
            result.write_array("labels", 0, np.zeros_like(volume))
            result.write_array("labels", 3, volume[3:9])
            result.commit("complete", {})
        expected = np.zeros_like(volume)
        expected[3:9] = volume[3:9]
        np.testing.assert_array_equal(self.look(store, scan.uid, "r").arrays["labels"], expected)

    def test_the_same_pair_again_overwrites(self, store: ResultStore) -> None:
        scan = a_scan()
        for value, shape in ((1, (4, 3, 3)), (2, (4, 3, 3)), (3, (5, 2, 3))):
            with store.open(scan, "r", {"only_in": {str(value): True}}) as result:
                result.create_array("labels", shape, np.uint8, {})
                result.write_array("labels", 0, np.full(shape, value, np.uint8))
                result.write_table("lacunae", {f"c{value}": np.arange(value)})
                result.commit("complete", {"run": value})
            found = self.look(store, scan.uid, "r")
            np.testing.assert_array_equal(found.arrays["labels"], np.full(shape, value))
            assert list(found.tables["lacunae"]) == [f"c{value}"]
            assert found.metadata["only_in"] == {str(value): True}
            assert found.metadata["run"] == value

    def test_two_recipes_of_a_scan_stand_side_by_side(self, store: ResultStore) -> None:
        scan = a_scan()
        for recipe in ("r1", "r2"):
            with store.open(scan, recipe, {}) as result:
                result.commit("complete", {"from": recipe})
        assert [self.look(store, scan.uid, recipe).metadata["from"] for recipe in ("r1", "r2")] == [
            "r1",
            "r2",
        ]

    def test_a_commit_with_missing_slices_is_refused(self, store: ResultStore) -> None:
        scan = a_scan()
        with store.open(scan, "r", {}) as result:
            result.create_array("labels", (6, 3, 3), np.uint8, {})
            result.write_array("labels", 0, np.ones((2, 3, 3), np.uint8))
            result.write_array("labels", 4, np.ones((2, 3, 3), np.uint8))
            with pytest.raises(StoreFailed, match="labels: 2 of 6 slices were never written, the first is 2"):
                result.commit("complete", {})
            result.write_array("labels", 2, np.ones((2, 3, 3), np.uint8))
            result.commit("complete", {})
        assert self.look(store, scan.uid, "r").metadata["status"] == "complete"

    def test_a_failure_is_said_and_what_was_written_stays(self, store: ResultStore) -> None:
        scan = a_scan()
        with store.open(scan, "r", {"profile": "x"}) as result:
            result.create_array("labels", (6, 3, 3), np.uint8, {})
            result.write_array("labels", 1, np.ones((2, 3, 3), np.uint8))
            result.fail("no flats", {"warnings": ["no flats"]})
        found = self.look(store, scan.uid, "r")
        assert {
            **found.metadata,
        }["status"] == "failed"
        assert found.metadata["reason"] == "no flats"
        assert found.metadata["profile"] == "x"
        assert found.arrays["labels"][:, 0, 0].tolist() == [0, 1, 1, 0, 0, 0]

    @pytest.mark.parametrize(
        ("start", "block"),
        [
            (0, np.zeros((2, 3, 4), np.uint8)),
            (5, np.zeros((2, 3, 3), np.uint8)),
            (-1, np.zeros((2, 3, 3), np.uint8)),
            (0, np.zeros((2, 3, 3), np.int32)),
        ],
    )
    def test_a_wrong_block_is_refused(self, store: ResultStore, start: int, block: np.ndarray) -> None:
        with store.open(a_scan(), "r", {}) as result:
            result.create_array("labels", (6, 3, 3), np.uint8, {})
            with pytest.raises(StoreFailed, match="labels: a block"):
                result.write_array("labels", start, block)
            result.fail("over", {})

    def test_an_array_must_be_announced(self, store: ResultStore) -> None:
        with store.open(a_scan(), "r", {}) as result:
            with pytest.raises(StoreFailed, match="cells was not announced"):
                result.write_array("cells", 0, np.zeros((1, 2, 2), np.int32))
            result.fail("over", {})

    def test_updates_merge_deeply(self, store: ResultStore) -> None:
        scan = a_scan()
        with store.open(scan, "r", {"completeness": {"expected": 9, "received": 0}}) as result:
            result.update({"completeness": {"received": 4}})
            result.commit("partial", {"x": 1})
        metadata = self.look(store, scan.uid, "r").metadata
        assert metadata["completeness"] == {"expected": 9, "received": 4}
        assert metadata["status"] == "partial"

    def test_close_may_be_called_twice(self) -> None:
        store = self.make()
        store.close()
        store.close()
