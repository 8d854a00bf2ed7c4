from __future__ import annotations

from contextlib import closing
from typing import Any

import numpy as np
import pytest

from streamlcn.errors import BadInput, StoreFailed
from streamlcn.ports import ResultStore
from streamlcn.store import (
    LocalTiled,
    StoredResult,
    StoreSettings,
    TiledStore,
    fetch_result,
    find_result,
)
from tests.store.contract import ResultStoreContract, a_scan

_SMALL_BLOCKS_MB = 60 / 2**20  # five slices of 3 x 4 bytes, so that chunks are crossed


def settings_for(server: LocalTiled, **changes: object) -> StoreSettings:
    return StoreSettings.model_validate({"uri": server.uri, **changes})


class TestTiledStore(ResultStoreContract):
    @pytest.fixture(autouse=True)
    def _server(self, tiled: LocalTiled) -> None:
        self.server = tiled

    def make(self) -> ResultStore:
        return TiledStore(settings_for(self.server, block_mb=_SMALL_BLOCKS_MB), self.server.api_key)

    def look(self, store: ResultStore, uid: str, recipe_hash: str) -> StoredResult:
        return fetch_result(self.server.uri, self.server.api_key, uid, recipe_hash=recipe_hash)

    def test_chunks_hold_whole_slices_up_to_the_block_size(self) -> None:
        scan = a_scan()
        with closing(self.make()) as store, store.open(scan, "r", {}) as result:
            result.create_array("labels", (12, 3, 4), np.uint8, {})
            result.write_array("labels", 0, np.ones((12, 3, 4), np.uint8))
            result.commit("complete", {})
            assert result.uri == f"{self.server.uri}/api/v1/metadata/streamlcn/{scan.uid}/r"
        node = find_result(self.server.uri, self.server.api_key, scan.uid)
        with closing(node.context):
            self._check_structure(node)

    def _check_structure(self, node: Any) -> None:
        assert node["labels"].chunks == ((5, 5, 2), (3,), (4,))
        assert node["labels"].dims == ("z", "y", "x")
        assert [(spec.name, spec.version) for spec in node.specs] == [("StreamLCNResult", "1")]

    def test_leaving_by_an_error_says_failed_and_which(self) -> None:
        scan = a_scan()
        with (
            closing(self.make()) as store,
            pytest.raises(ValueError, match="too dark"),
            store.open(scan, "r", {}),
        ):
            raise ValueError("too dark")
        metadata = self.look(store, scan.uid, "r").metadata
        assert metadata["status"] == "failed"
        assert metadata["reason"] == "ValueError: too dark"

    def test_a_later_failure_does_not_hide_a_success(self) -> None:
        scan = a_scan()
        with closing(self.make()) as store:
            with store.open(scan, "good", {}) as result:
                result.commit("complete", {"lcn": {"porosity": 0.1}})
            with store.open(scan, "bad", {}) as result:
                result.fail("out of memory", {})
        newest = fetch_result(self.server.uri, self.server.api_key, scan.uid)
        assert newest.metadata["recipe_hash"] == "good"

    def test_scans_are_found_by_their_numbers(self) -> None:
        from tiled.client import from_uri

        root = ("campaign", "2026")
        settings = settings_for(self.server, root=root)
        with closing(TiledStore(settings, self.server.api_key)) as store:
            for uid, porosity in (("a", 0.02), ("b", 0.06), ("c", 0.11)):
                with store.open(a_scan(uid), "r", {"profile": "p05" if uid == "b" else "anatomix"}) as result:
                    result.commit("complete", {"lcn": {"porosity": porosity}, "ood": {"flag": uid == "c"}})
        client = from_uri(self.server.uri, api_key=self.server.api_key)
        with closing(client.context):
            self._check_queries(client["campaign/2026"])

    def _check_queries(self, scans: Any) -> None:
        from tiled.queries import Comparison, Key, SpecsQuery

        assert set(scans.search(Comparison("gt", "lcn.porosity", 0.05))) == {"b", "c"}
        assert set(scans.search(Key("lcn.porosity") > 0.05).search(Key("profile") == "p05")) == {"b"}
        assert set(scans.search(Key("ood.flag") == True)) == {"c"}  # noqa: E712  tiled's own query language
        assert set(scans.search(Key("raw_uid") == "a")) == {"a"}
        assert set(scans["a"].search(SpecsQuery(["StreamLCNResult"]))) == {"r"}

    def test_a_wrong_key_is_said_at_once(self) -> None:
        store = TiledStore(settings_for(self.server), "wrong")
        with closing(store), pytest.raises(StoreFailed, match=r"401"):
            store.open(a_scan(), "r", {})

    def test_a_result_that_is_not_there(self) -> None:
        with pytest.raises(BadInput, match="no result streamlcn/nobody"):
            find_result(self.server.uri, self.server.api_key, "nobody")


def test_a_dead_server_is_said_after_a_few_tries() -> None:
    pauses: list[float] = []
    settings = StoreSettings(uri="http://127.0.0.1:9")  # the discard port: nobody listens
    store = TiledStore(settings, "key", sleep=pauses.append)
    with closing(store), pytest.raises(StoreFailed, match=r"http://127\.0\.0\.1:9: POST .*no connection"):
        store.open(a_scan(), "r", {})
    assert len(pauses) == 3
    assert sum(pauses) < 2
