"""Results in memory: for trials and tests, gone with the process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from streamlcn.model import Scan
from streamlcn.ports import ScanResult
from streamlcn.store._blocks import ChunkedArray
from streamlcn.store._structure import plain

__all__ = ["MemoryStore", "StoredResult", "merged"]


@dataclass(slots=True, kw_only=True)
class StoredResult:
    """One result: arrays, their metadata and tables by key (``preview/xy``), metadata with its ``status``."""

    metadata: dict[str, Any]
    arrays: dict[str, npt.NDArray[Any]] = field(default_factory=dict)
    array_metadata: dict[str, dict[str, Any]] = field(default_factory=dict)
    tables: dict[str, dict[str, npt.NDArray[Any]]] = field(default_factory=dict)


class MemoryStore:
    """Keeps `results` by (raw uid, recipe hash)."""

    def __init__(self) -> None:
        self.results: dict[tuple[str, str], StoredResult] = {}

    def open(self, scan: Scan, recipe_hash: str, metadata: Mapping[str, Any]) -> ScanResult:
        """Open a result; one that is there is replaced."""
        values = {"status": "processing", **plain(metadata), "raw_uid": scan.uid, "recipe_hash": recipe_hash}
        stored = StoredResult(metadata=values)
        self.results[scan.uid, recipe_hash] = stored
        return _MemoryResult(stored)

    def close(self) -> None:
        """Nothing to release: `results` stay."""


class _MemoryResult:
    def __init__(self, stored: StoredResult) -> None:
        self._stored = stored
        self._announced: dict[str, ChunkedArray] = {}
        self._is_over = False

    @property
    def uri(self) -> str | None:
        """None: nobody else can read it."""
        return None

    def __enter__(self) -> _MemoryResult:
        return self

    def __exit__(self, *exc: object) -> None:
        if not self._is_over:
            self.fail("left without a commit", {})

    def create_array(
        self, key: str, shape: tuple[int, ...], dtype: npt.DTypeLike, metadata: Mapping[str, Any]
    ) -> None:
        """Announce an array."""
        target = np.zeros(shape, dtype)
        self._stored.arrays[key] = target
        self._stored.array_metadata[key] = plain(metadata)

        def put(start: int, values: npt.NDArray[Any]) -> None:
            target[start : start + len(values)] = values

        self._announced[key] = ChunkedArray(
            key, shape, target.dtype, (1,) * shape[0], lambda _, start, values: put(start, values), put
        )

    def write_array(self, key: str, z_start: int, block: npt.NDArray[Any]) -> None:
        """Copy ``block`` into the array."""
        ChunkedArray.named(self._announced, key).write(z_start, block)

    def write_table(self, key: str, columns: Mapping[str, npt.NDArray[Any]]) -> None:
        """Keep a copy of the table."""
        self._stored.tables[key] = {name: np.array(values) for name, values in columns.items()}

    def update(self, metadata: Mapping[str, Any]) -> None:
        """Merge scalars into the metadata."""
        self._stored.metadata = merged(self._stored.metadata, plain(metadata))

    def commit(self, status: str, metadata: Mapping[str, Any]) -> None:
        """Say success; raises `StoreFailed` if slices are missing."""
        for array in self._announced.values():
            array.require_whole()
        self.update({**metadata, "status": status})
        self._is_over = True

    def fail(self, reason: str, metadata: Mapping[str, Any]) -> None:
        """Say failure and its reason."""
        self.update({**metadata, "status": "failed", "reason": reason})
        self._is_over = True


def merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``old`` with ``new`` merged in deeply."""
    result = dict(old)
    for key, value in new.items():
        base = result.get(key)
        if isinstance(value, Mapping) and isinstance(base, Mapping):
            result[key] = merged(base, value)
        else:
            result[key] = value
    return result
