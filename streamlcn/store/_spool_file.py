"""One result on this machine's disk: HDF5, under its final name only when it is whole and flushed."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt
import orjson

from streamlcn.model import Scan
from streamlcn.ports import ScanResult
from streamlcn.store._blocks import ChunkedArray
from streamlcn.store._memory import merged
from streamlcn.store._structure import chunks_along_z, plain

__all__ = ["SpoolFile", "identity_of", "play_into", "read_opening"]

_CHUNK_BYTES = 4 << 20
_SCAN_PARTS = tuple(f.name for f in fields(Scan) if f.name not in ("plan", "angles_rad"))
_DELIVERY_BYTES = 64 << 20


class SpoolFile:
    """A result being written to ``path``; `finish` gives it its name, `discard` removes it."""

    def __init__(self, path: Path, scan: Scan, recipe_hash: str, metadata: Mapping[str, Any]) -> None:
        self.path = path
        self._partial = path.with_suffix(".partial")
        self._file = h5py.File(self._partial, "w", libver="latest")
        self._arrays: dict[str, ChunkedArray] = {}
        self._metadata: dict[str, Any] = plain(metadata)
        values = plain({name: getattr(scan, name) for name in _SCAN_PARTS})
        self._file.attrs["scan"] = orjson.dumps(values).decode()
        self._file.attrs["recipe_hash"] = recipe_hash

    def create_array(
        self, key: str, shape: tuple[int, ...], dtype: npt.DTypeLike, metadata: Mapping[str, Any]
    ) -> None:
        """Announce an array; the same key again starts it anew."""
        kind = np.dtype(dtype)
        heights = chunks_along_z(shape, kind, _CHUNK_BYTES)
        name = f"arrays/{key}"
        if name in self._file:
            del self._file[name]
        dataset = self._file.create_dataset(name, shape, kind, chunks=(heights[0], *shape[1:]))
        dataset.attrs["metadata"] = orjson.dumps(plain(metadata)).decode()

        def put(start: int, values: npt.NDArray[Any]) -> None:
            dataset[start : start + len(values)] = values

        self._arrays[key] = ChunkedArray(
            key, shape, kind, heights, lambda _, start, values: put(start, values), put
        )

    def write_array(self, key: str, start: int, block: npt.NDArray[Any]) -> None:
        """Write a block; raises `StoreFailed` where it does not fit or was not announced."""
        ChunkedArray.named(self._arrays, key).write(start, block)

    def write_table(self, key: str, columns: Mapping[str, npt.NDArray[Any]]) -> None:
        """Write a table whole; the same key again replaces it."""
        name = f"tables/{key}"
        if name in self._file:
            del self._file[name]
        group = self._file.create_group(name, track_order=True)
        for column, values in columns.items():
            array = np.asarray(values)
            if array.dtype.kind in "UO":
                group.create_dataset(column, data=array.astype(object), dtype=h5py.string_dtype())
            else:
                group.create_dataset(column, data=array)

    def update(self, metadata: Mapping[str, Any]) -> None:
        """Merge metadata."""
        self._metadata = merged(self._metadata, plain(metadata))

    def require_whole(self) -> None:
        """Raise `StoreFailed` if slices of an announced array are missing."""
        for array in self._arrays.values():
            array.require_whole()

    def finish(self, status: str, metadata: Mapping[str, Any]) -> None:
        """Flush all to disk, then give the file its name."""
        for array in self._arrays.values():
            array.flush()
        self._file.attrs["status"] = status
        self._file.attrs["opening"] = orjson.dumps(self._metadata).decode()
        self._file.attrs["closing"] = orjson.dumps(plain(metadata)).decode()
        self._file.close()
        _flush_to_disk(self._partial)
        self._partial.replace(self.path)
        _flush_to_disk(self.path.parent)

    def discard(self) -> None:
        """Remove what was written."""
        self._file.close()
        self._partial.unlink(missing_ok=True)


def identity_of(path: Path) -> tuple[str, str]:
    """Return (raw uid, recipe hash) of a finished file."""
    with h5py.File(path, "r") as file:
        return orjson.loads(file.attrs["scan"])["uid"], file.attrs["recipe_hash"]


def read_opening(path: Path) -> tuple[Scan, str, dict[str, Any]]:
    """Return what the result was opened with: scan (without its plan), recipe hash and metadata."""
    with h5py.File(path, "r") as file:
        values = orjson.loads(file.attrs["scan"])
        as_tuples: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in values.items()
        }
        return Scan(**as_tuples), file.attrs["recipe_hash"], orjson.loads(file.attrs["opening"])


def play_into(path: Path, result: ScanResult) -> None:
    """Write all of a finished file into ``result`` and commit it as it was committed."""
    with h5py.File(path, "r") as file:
        for key, dataset in _datasets(file.get("arrays"), ""):
            metadata = orjson.loads(dataset.attrs["metadata"])
            result.create_array(key, dataset.shape, dataset.dtype, metadata)
            step = max(1, _DELIVERY_BYTES // max(1, dataset[:1].nbytes))
            for start in range(0, len(dataset), step):
                result.write_array(key, start, dataset[start : start + step])
        for key, group in file.get("tables", {}).items():
            result.write_table(key, {name: _column(column) for name, column in group.items()})
        status, closing = file.attrs["status"], orjson.loads(file.attrs["closing"])
        if status == "failed":
            result.fail(closing.get("reason", "not said"), closing)
        else:
            result.commit(status, closing)


def _datasets(group: h5py.Group | None, prefix: str) -> list[tuple[str, h5py.Dataset]]:
    found: list[tuple[str, h5py.Dataset]] = []
    for name, item in (group or {}).items():
        key = f"{prefix}{name}"
        found += _datasets(item, f"{key}/") if isinstance(item, h5py.Group) else [(key, item)]
    return found


def _column(dataset: h5py.Dataset) -> npt.NDArray[Any]:
    text = h5py.check_string_dtype(dataset.dtype) is not None
    return np.asarray(dataset.asstr()[()] if text else dataset[()])


def _flush_to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
