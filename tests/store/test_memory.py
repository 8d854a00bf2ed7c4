from __future__ import annotations

import pytest

from streamlcn.ports import ResultStore
from streamlcn.store import MemoryStore, StoredResult
from tests.store.contract import ResultStoreContract, a_scan


class TestMemoryStore(ResultStoreContract):
    def make(self) -> ResultStore:
        return MemoryStore()

    def look(self, store: ResultStore, uid: str, recipe_hash: str) -> StoredResult:
        assert isinstance(store, MemoryStore)
        return store.results[uid, recipe_hash]

    def test_leaving_without_a_commit_is_a_failure(self) -> None:
        store, scan = MemoryStore(), a_scan()
        with pytest.raises(ZeroDivisionError), store.open(scan, "r", {}):
            _ = 1 / 0
        assert store.results[scan.uid, "r"].metadata["status"] == "failed"
