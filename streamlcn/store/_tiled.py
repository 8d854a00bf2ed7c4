"""Results in a tiled server."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt
import structlog

from streamlcn.errors import StoreFailed
from streamlcn.model import Scan
from streamlcn.ports import ScanResult
from streamlcn.store._blocks import ChunkedArray
from streamlcn.store._memory import merged
from streamlcn.store._structure import array_body, chunks_along_z, container_body, plain, table_body
from streamlcn.store._wire import Node, OnRequest, TiledWire
from streamlcn.store.settings import StoreSettings

__all__ = ["RESULT_SPEC", "TiledStore"]

_log = structlog.get_logger(__name__)

RESULT_SPEC = ("StreamLCNResult", "1")


class TiledStore:
    """Writes ``<root>/<raw_uid>/<recipe_hash>/``. Holds no result itself.

    Errors of the server and of the way to it raise `StoreFailed`.
    """

    def __init__(
        self,
        settings: StoreSettings,
        api_key: str | None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        on_request: OnRequest = lambda _outcome, _seconds: None,
    ) -> None:
        self.settings = settings
        self.wire = TiledWire(
            settings.uri, api_key, timeout_s=settings.timeout_s, sleep=sleep, on_request=on_request
        )
        self._pool = ThreadPoolExecutor(settings.connections, thread_name_prefix="tiled")

    def open(self, scan: Scan, recipe_hash: str, metadata: Mapping[str, Any]) -> ScanResult:
        """Open the result; one that is there is adopted and overwritten."""
        return self.open_result(scan.uid, recipe_hash, metadata)

    def open_result(self, raw_uid: str, recipe_hash: str, metadata: Mapping[str, Any]) -> TiledResult:
        """Open the result of one raw uid under one recipe; see `open`."""
        values = {"status": "processing", **plain(metadata), "raw_uid": raw_uid, "recipe_hash": recipe_hash}
        node = (*self.settings.root, raw_uid, recipe_hash)
        body = container_body(values, self.settings.access_tags, RESULT_SPEC)
        if not self._create(node, body):
            self.wire.replace_metadata(node, values)
        return TiledResult(self.wire, self._pool, self.settings, node, values)

    def probe(self) -> None:
        """Make a container below the root and delete it again; raises `StoreFailed` where that cannot be."""
        node = (*self.settings.root, f"probe-{secrets.token_hex(8)}")
        self._create(node, container_body({}, self.settings.access_tags))
        self.wire.delete(node)

    def close(self) -> None:
        """Finish what is under way and close the connections; may be called twice."""
        self._pool.shutdown()
        self.wire.close()

    def _create(self, node: Node, body: Mapping[str, Any]) -> bool:
        try:
            return self.wire.create(node, body)
        except LookupError:
            if len(node) == 1:
                raise StoreFailed(
                    f"tiled at {self.wire.uri} has no tree at its root that can be written to"
                ) from None
        is_scan = len(node) == len(self.settings.root) + 2
        parent = container_body({"raw_uid": node[-2]} if is_scan else {}, self.settings.access_tags)
        self._create(node[:-1], parent)
        return self.wire.create(node, body)


class TiledResult:
    """One result being written; blocks travel on the store's connections while the caller goes on."""

    def __init__(
        self,
        wire: TiledWire,
        pool: ThreadPoolExecutor,
        settings: StoreSettings,
        node: Node,
        metadata: dict[str, Any],
    ) -> None:
        self._wire, self._pool, self._settings = wire, pool, settings
        self._node, self._metadata = node, metadata
        self._arrays: dict[str, ChunkedArray] = {}
        self._groups: set[str] = set()
        self._under_way: list[Future[None]] = []
        self._is_over = False

    @property
    def uri(self) -> str | None:
        """The address that `tiled.client.from_uri` takes."""
        return self._wire.address(self._node)

    def __enter__(self) -> TiledResult:
        return self

    def __exit__(self, *exc: object) -> None:
        if not self._is_over:
            reason = next((f"{type(e).__name__}: {e}" for e in exc if isinstance(e, Exception)), None)
            try:
                self.fail(reason or "left without a commit", {})
            except StoreFailed as error:  # what went wrong first matters more
                _log.warning("result_left_open", result="/".join(self._node), reason=str(error))

    def create_array(
        self, key: str, shape: tuple[int, ...], dtype: npt.DTypeLike, metadata: Mapping[str, Any]
    ) -> None:
        """Announce an array, stored in chunks of about ``block_mb`` along axis 0."""
        kind = np.dtype(dtype)
        heights = chunks_along_z(shape, kind, self._settings.block_mb * 2**20)
        node = self._place(key)
        body = array_body(shape, kind, heights, plain(metadata), self._settings.access_tags)
        self._arrays[key] = ChunkedArray(
            key,
            shape,
            kind,
            heights,
            send=lambda place, _first, values: self._send_block(node, place, values),
            amend=lambda first, values: self._amend(node, heights, first, values),
        )
        if not self._wire.create(node, body):
            self._adopt_array(node, body)

    def write_array(self, key: str, z_start: int, block: npt.NDArray[Any]) -> None:
        """Take a block; it is sent once its chunk is whole. Errors of sending come up later."""
        ChunkedArray.named(self._arrays, key).write(z_start, block)

    def write_table(self, key: str, columns: Mapping[str, npt.NDArray[Any]]) -> None:
        """Write a table whole, as parquet; one that is there is replaced."""
        node = self._place(key)
        body, content = table_body(columns, self._settings.access_tags)
        if not self._wire.create(node, body):
            self._wire.delete(node)
            self._wire.create(node, body)
        self._wire.put_table(node, content)

    def update(self, metadata: Mapping[str, Any]) -> None:
        """Merge scalars into the result's metadata, if the server takes them at once."""
        try:
            self._metadata = merged(self._metadata, plain(metadata))
            self._wire.replace_metadata(self._node, self._metadata, is_patient=False)
        except StoreFailed as error:
            _log.warning("update_lost", result="/".join(self._node), reason=str(error))

    def commit(self, status: str, metadata: Mapping[str, Any]) -> None:
        """Wait until all is there, then say so; raises `StoreFailed` if slices are missing."""
        for array in self._arrays.values():
            array.require_whole()
        self._wait(0)
        self._conclude(status, metadata)

    def fail(self, reason: str, metadata: Mapping[str, Any]) -> None:
        """Say failure and its reason; chunks that are not whole are sent as they are."""
        for array in self._arrays.values():
            array.flush()
        self._wait(0)
        self._conclude("failed", {**metadata, "reason": reason})

    def _conclude(self, status: str, metadata: Mapping[str, Any]) -> None:
        self._metadata = merged(self._metadata, {**plain(metadata), "status": status})
        self._wire.replace_metadata(self._node, self._metadata)
        # The newest result's scalars stand at the scan too, because a search looks at one level only;
        # but a failure does not hide an earlier success.
        if status != "failed" or not self._scan_has_success():
            self._wire.replace_metadata(self._node[:-1], self._metadata)
        self._is_over = True

    def _scan_has_success(self) -> bool:
        scan = self._wire.describe(self._node[:-1])
        metadata = {} if scan is None else scan["metadata"]
        is_other = metadata.get("recipe_hash") != self._node[-1]
        return is_other and metadata.get("status") in ("complete", "partial")

    def _place(self, key: str) -> Node:
        """Return the node of ``key``; the containers on the way ("preview/xy") are created once."""
        *groups, _ = parts = key.split("/")
        for depth in range(1, len(groups) + 1):
            name = "/".join(groups[:depth])
            if name not in self._groups:
                self._wire.create(
                    (*self._node, *groups[:depth]), container_body({}, self._settings.access_tags)
                )
                self._groups.add(name)
        return (*self._node, *parts)

    def _adopt_array(self, node: Node, body: Mapping[str, Any]) -> None:
        """Use the array that is there if it is of the same make, else put a new one in its place."""
        there = self._wire.describe(node)
        wanted = body["data_sources"][0]["structure"]
        structure = (there or {}).get("structure") or {}
        if all(structure.get(part) == wanted[part] for part in ("shape", "chunks", "data_type")):
            self._wire.replace_metadata(node, body["metadata"])
            return
        self._wire.delete(node)
        self._wire.create(node, body)

    def _send_block(self, node: Node, place: int, values: npt.NDArray[Any]) -> None:
        index = (place, *(0,) * (values.ndim - 1))
        content = values.tobytes()  # the caller may use its array again
        self._wait(2 * self._settings.connections)
        self._under_way.append(self._pool.submit(self._wire.put_block, node, index, content))

    def _amend(self, node: Node, heights: tuple[int, ...], first: int, values: npt.NDArray[Any]) -> None:
        """Put a piece into a chunk that was sent: read, change, write.

        Not by tiled's PATCH: where the last chunk is lower than the others, 0.2.20 makes the array higher.
        """
        self._wait(0)
        place, offset = divmod(first, heights[0])
        index = (place, *(0,) * (values.ndim - 1))
        content = self._wire.get_block(node, index)
        chunk = np.frombuffer(content, values.dtype).reshape(heights[place], *values.shape[1:]).copy()
        chunk[offset : offset + len(values)] = values
        self._wire.put_block(node, index, chunk.tobytes())

    def _wait(self, most: int) -> None:
        """Wait until at most ``most`` blocks are under way; raises what went wrong with those that ended."""
        while len(self._under_way) > most:
            self._under_way.pop(0).result()
