"""Raw runs as bluesky's TiledWriter stores them, read over tiled's HTTP interface.

A run is a container with ``start`` and ``stop`` in its metadata; a stream is a container below it with its
descriptor in its metadata, a table ``internal`` of its events, arrays of what is too large for the table, and
arrays whose pixels are in the detector's file.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from math import prod
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from urllib.parse import quote, urlsplit

import numpy as np
import numpy.typing as npt
import orjson

from streamlcn.documents._arrays import array_from, dtype_from
from streamlcn.errors import BadDocument, StreamLCNError

if TYPE_CHECKING:
    import httpx

__all__ = ["RawArray", "RawFile", "RawRun", "RawRuns", "RawStream", "RawUnreachable"]

_PAGE = 300
_PAUSES_S = (0.2,)
_API = "/api/v1/metadata"
_LARGEST_READ = 64 * 2**20
_Result = TypeVar("_Result")
_Arguments = ParamSpec("_Arguments")


class RawUnreachable(StreamLCNError, OSError):
    """The tiled server with the raw runs does not answer, or refuses; it can be asked again later."""


def _understood(read: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Turn what an answer of another shape leads to into `RawUnreachable`."""

    @wraps(read)
    def reading(*arguments: _Arguments.args, **options: _Arguments.kwargs) -> _Result:
        try:
            return read(*arguments, **options)
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            said = f"{type(error).__name__}: {error!s:.200}"
            raise RawUnreachable(f"tiled answered what is no raw run of TiledWriter ({said})") from error

    return reading


@dataclass(frozen=True, slots=True, kw_only=True)
class RawFile:
    """The detector's file behind an array."""

    uri: str
    dataset: str
    swmr: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RawArray:
    """An array that tiled itself holds: one row per event."""

    path: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class RawStream:
    """One stream: its descriptor's content, its events, its arrays and files by data key."""

    name: str
    descriptor: Mapping[str, Any]
    table_path: str | None
    arrays: Mapping[str, RawArray] = field(default_factory=dict)
    files: Mapping[str, RawFile] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RawRun:
    """One run; ``stop`` is None while it goes on."""

    start: Mapping[str, Any]
    stop: Mapping[str, Any] | None
    streams: tuple[RawStream, ...]

    def uids(self) -> Iterator[str]:
        """Yield the uids of all its descriptors."""
        for stream in self.streams:
            yield str(stream.descriptor.get("uid"))
            for update in stream.descriptor.get("_config_updates") or ():
                yield str(update.get("uid"))


class RawRuns:
    """A container of raw runs on a tiled server.

    Every request is short and is tried twice at most; errors raise `RawUnreachable`.
    """

    def __init__(
        self, uri: str, api_key: str | None, *, timeout_s: float, sleep: Callable[[float], None] = time.sleep
    ) -> None:
        parts = urlsplit(uri)
        base, _, node = parts.path.partition(_API)
        self.uri = f"{parts.scheme}://{parts.netloc}{base.rstrip('/')}"
        self._node = node.strip("/")
        self._headers = {"Authorization": f"Apikey {api_key}"} if api_key else {}
        self._timeout_s, self._sleep = timeout_s, sleep
        self._client: httpx.Client | None = None

    def close(self) -> None:
        """Close the connections; may be called twice."""
        if self._client is not None:
            self._client.close()
            self._client = None

    @_understood
    def run(self, uid: str) -> RawRun | None:
        """Return a run by its uid; None where there is none of that uid."""
        if uid in (".", ".."):
            return None
        path = self._path(uid)
        found = self._get(f"{_API}/{path}", {}, is_optional=True)
        if found is None:
            return None
        metadata = orjson.loads(found)["data"]["attributes"]["metadata"]
        if not isinstance(metadata.get("start"), dict) or metadata["start"].get("uid") != uid:
            return None
        streams = tuple(
            self._stream(f"{path}/{quote(name, safe='')}", name, attributes["metadata"])
            for name, attributes in self._children(path)
            if attributes["structure_family"] == "container"
        )
        return RawRun(start=metadata["start"], stop=metadata.get("stop"), streams=streams)

    @_understood
    def newest(self, count: int) -> list[str]:
        """Return the uids of the last ``count`` runs, newest first."""
        answer = self._get(f"/api/v1/search/{self._node}", {"page[limit]": count, "sort": "-"})
        return [item["id"] for item in orjson.loads(answer or b'{"data":[]}')["data"]]

    @_understood
    def rows(self, stream: RawStream) -> dict[str, list[Any]]:
        """Return the events' table, in the order in which they were taken; empty where there is none."""
        if stream.table_path is None:
            return {}
        import pyarrow as pa

        query = {"partition": 0, "format": "application/vnd.apache.arrow.file"}
        answer = self._get(f"/api/v1/table/partition/{stream.table_path}", query) or b""
        table = pa.ipc.open_file(answer).read_all().sort_by("time")
        return {name: table[name].to_pylist() for name in table.column_names}

    @_understood
    def row_of(self, array: RawArray, row: int) -> npt.NDArray[Any]:
        """Return one row of an array, without the first axis."""
        shape = array.shape[1:]
        if prod(shape) * array.dtype.itemsize > _LARGEST_READ and len(shape) > 2:
            parts = [self._read(array, f"{row},{n}", shape[1:]) for n in range(shape[0])]
            return np.stack(parts)
        return self._read(array, f"{row}", shape)

    def _read(self, array: RawArray, where: str, shape: tuple[int, ...]) -> npt.NDArray[Any]:
        query = {"slice": where, "format": "application/octet-stream"}
        answer = self._get(f"/api/v1/array/full/{array.path}", query) or b""
        return array_from(answer, array.dtype, shape)

    def _stream(self, path: str, name: str, metadata: Mapping[str, Any]) -> RawStream:
        table: str | None = None
        arrays: dict[str, RawArray] = {}
        files: dict[str, RawFile] = {}
        for key, attributes in self._children(path):
            here = f"{path}/{quote(key, safe='')}"
            family, sources = attributes["structure_family"], attributes.get("data_sources") or [{}]
            if family == "table" and key == "internal":
                table = here
            elif family == "array" and sources[0].get("management") == "external":
                if (file := _file_of(sources)) is not None:
                    files[key] = file
            elif family == "array" and (array := _array_of(here, attributes["structure"])) is not None:
                arrays[key] = array
        return RawStream(name=name, descriptor=metadata, table_path=table, arrays=arrays, files=files)

    def _children(self, path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        offset = 0
        while True:
            query = {"page[limit]": _PAGE, "page[offset]": offset, "include_data_sources": "true"}
            answer = self._get(f"/api/v1/search/{path}", query)
            items = orjson.loads(answer or b'{"data":[]}')["data"]
            yield from ((item["id"], item["attributes"]) for item in items)
            if len(items) < _PAGE:
                return
            offset += _PAGE

    def _path(self, uid: str) -> str:
        return "/".join(part for part in (self._node, quote(uid, safe="")) if part)

    def _get(self, path: str, query: Mapping[str, Any], *, is_optional: bool = False) -> bytes | None:
        import httpx

        if self._client is None:
            timeout = httpx.Timeout(self._timeout_s, connect=min(3.0, self._timeout_s))
            self._client = httpx.Client(headers=self._headers, timeout=timeout, trust_env=False)
        problem = ""
        for pause in (*_PAUSES_S, None):
            try:
                answer = self._client.get(f"{self.uri}{path}", params=dict(query))
            except httpx.TransportError as error:
                problem = f"{type(error).__name__} {error}".strip()
            else:
                if answer.is_success:
                    return answer.content
                if answer.status_code == 404 and is_optional:
                    return None
                problem = f"{answer.status_code} {answer.text[:200]}"
                if answer.status_code < 500 and answer.status_code != 429:
                    break
            if pause is not None:
                self._sleep(pause)
        raise RawUnreachable(f"tiled at {self.uri}: GET {path} failed: {problem}")


def _file_of(sources: Sequence[Mapping[str, Any]]) -> RawFile | None:
    """Return the one HDF5 file behind an array; None where it is something else."""
    assets = [asset for source in sources for asset in source.get("assets") or ()]
    parameters = sources[0].get("parameters") or {}
    if len(assets) != 1 or "hdf5" not in str(sources[0].get("mimetype")) or "dataset" not in parameters:
        return None
    swmr = parameters.get("swmr") is not False
    return RawFile(uri=str(assets[0]["data_uri"]), dataset=str(parameters["dataset"]), swmr=swmr)


def _array_of(path: str, structure: Mapping[str, Any]) -> RawArray | None:
    kind = structure.get("data_type") or {}
    order = {"little": "<", "big": ">"}.get(str(kind.get("endianness")), "")
    try:
        size = kind["itemsize"] // (4 if kind["kind"] == "U" else 1)
        dtype = dtype_from("?" if kind["kind"] == "b" else f"{kind['kind']}{size}", order)
    except (KeyError, TypeError, BadDocument):
        return None
    return RawArray(path=path, shape=tuple(structure["shape"]), dtype=dtype)
