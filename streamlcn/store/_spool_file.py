"""One result on this machine's disk: a folder of NumPy files, under its final name only when it is whole.

Not HDF5: a full disk makes closing an HDF5 file end the whole process with a segmentation fault.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from streamlcn.model import Scan
from streamlcn.ports import ScanResult
from streamlcn.store._blocks import ChunkedArray
from streamlcn.store._memory import merged
from streamlcn.store._structure import chunks_along_z, plain

__all__ = ["PARTIAL", "SpoolFile", "identity_of", "play_into", "read_opening"]

PARTIAL = ".partial"
_MANIFEST = "result.json"
_CHUNK_BYTES = 4 << 20
_DELIVERY_BYTES = 64 << 20
_SCAN_PARTS = tuple(f.name for f in fields(Scan) if f.name not in ("plan", "angles_rad"))


class SpoolFile:
    """A result being written to the folder ``path``; `finish` gives it its name, `discard` removes it.

    A disk that is full or gone raises `OSError` from whatever is called then.
    """

    def __init__(self, path: Path, scan: Scan, recipe_hash: str, metadata: Mapping[str, Any]) -> None:
        self.path = path
        self._partial = path.with_name(path.name + PARTIAL)
        self._arrays: dict[str, ChunkedArray] = {}
        self._opening: dict[str, Any] = plain(metadata)
        self._manifest: dict[str, Any] = {
            "scan": plain({name: getattr(scan, name) for name in _SCAN_PARTS}),
            "recipe_hash": recipe_hash,
            "arrays": {},
            "tables": {},
        }
        self._partial.mkdir(parents=True)

    def create_array(
        self, key: str, shape: tuple[int, ...], dtype: npt.DTypeLike, metadata: Mapping[str, Any]
    ) -> None:
        """Announce an array; the same key again starts it anew."""
        kind = np.dtype(dtype)
        entry = {"file": f"{key.replace('/', '-')}.npy", "metadata": plain(metadata)}
        path = self._partial / entry["file"]
        header = {"descr": np.lib.format.dtype_to_descr(kind), "fortran_order": False, "shape": shape}
        with path.open("wb") as file:
            np.lib.format.write_array_header_2_0(file, header)
            begin = file.tell()
            file.truncate(begin + int(np.prod(shape)) * kind.itemsize)
        stride = int(np.prod(shape[1:])) * kind.itemsize

        def put(start: int, values: npt.NDArray[Any]) -> None:
            with path.open("r+b") as file:
                file.seek(begin + start * stride)
                file.write(np.ascontiguousarray(values).data)

        heights = chunks_along_z(shape, kind, _CHUNK_BYTES)
        self._manifest["arrays"][key] = entry
        self._arrays[key] = ChunkedArray(
            key, shape, kind, heights, lambda _, start, values: put(start, values), put
        )

    def write_array(self, key: str, start: int, block: npt.NDArray[Any]) -> None:
        """Write a block; raises `StoreFailed` where it does not fit or was not announced."""
        ChunkedArray.named(self._arrays, key).write(start, block)

    def write_table(self, key: str, columns: Mapping[str, npt.NDArray[Any]]) -> None:
        """Write a table whole; the same key again replaces it."""
        name = f"{key.replace('/', '-')}.npz"
        arrays = (np.asarray(values) for values in columns.values())
        safe = [array.astype(str) if array.dtype.kind == "O" else array for array in arrays]
        np.savez(self._partial / name, *safe, allow_pickle=False)
        self._manifest["tables"][key] = {"file": name, "columns": list(columns)}

    def update(self, metadata: Mapping[str, Any]) -> None:
        """Merge metadata."""
        self._opening = merged(self._opening, plain(metadata))

    def require_whole(self) -> None:
        """Raise `StoreFailed` if slices of an announced array are missing."""
        for array in self._arrays.values():
            array.require_whole()

    def finish(self, status: str, metadata: Mapping[str, Any]) -> None:
        """Flush all to disk, then give the folder its name."""
        for array in self._arrays.values():
            array.flush()
        self._manifest |= {"status": status, "opening": self._opening, "closing": plain(metadata)}
        (self._partial / _MANIFEST).write_bytes(orjson.dumps(self._manifest, option=orjson.OPT_INDENT_2))
        for path in (*self._partial.iterdir(), self._partial):
            _flush_to_disk(path)
        self._partial.rename(self.path)
        _flush_to_disk(self.path.parent)

    def discard(self) -> None:
        """Remove what was written."""
        shutil.rmtree(self._partial, ignore_errors=True)


def identity_of(path: Path) -> tuple[str, str]:
    """Return (raw uid, recipe hash) of a finished folder."""
    manifest = _manifest_of(path)
    return manifest["scan"]["uid"], manifest["recipe_hash"]


def read_opening(path: Path) -> tuple[Scan, str, dict[str, Any]]:
    """Return what the result was opened with: scan (without its plan), recipe hash and metadata."""
    manifest = _manifest_of(path)
    values: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in manifest["scan"].items()
    }
    return Scan(**values), manifest["recipe_hash"], manifest["opening"]


def play_into(path: Path, result: ScanResult) -> None:
    """Write all of a finished folder into ``result`` and conclude it as it was concluded."""
    manifest = _manifest_of(path)
    for key, entry in manifest["arrays"].items():
        array = np.load(path / entry["file"], mmap_mode="r", allow_pickle=False)
        result.create_array(key, array.shape, array.dtype, entry["metadata"])
        step = max(1, _DELIVERY_BYTES // max(1, array[:1].nbytes))
        for start in range(0, len(array), step):
            result.write_array(key, start, np.array(array[start : start + step]))
    for key, entry in manifest["tables"].items():
        with np.load(path / entry["file"], allow_pickle=False) as columns:
            result.write_table(key, {name: columns[f"arr_{n}"] for n, name in enumerate(entry["columns"])})
    closing = manifest["closing"]
    if manifest["status"] == "failed":
        result.fail(closing.get("reason", "not said"), closing)
    else:
        result.commit(manifest["status"], closing)


def _manifest_of(path: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = orjson.loads((path / _MANIFEST).read_bytes())
    return manifest


def _flush_to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
