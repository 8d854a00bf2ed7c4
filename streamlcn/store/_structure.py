"""How arrays, tables and metadata are told to tiled."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from streamlcn.errors import BadInput

__all__ = ["array_body", "arrow_file", "chunks_along_z", "container_body", "plain", "table_body"]

_SCHEMA_PREFIX = "data:application/vnd.apache.arrow.file;base64,"


def plain(value: Any) -> Any:
    """Return ``value`` as JSON holds it: NumPy scalars as Python's, not-a-number and infinities as None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(value)


def chunks_along_z(shape: tuple[int, ...], dtype: np.dtype[Any], block_bytes: float) -> tuple[int, ...]:
    """Return the heights of the chunks along axis 0: ``block_bytes`` or less, equal but for the last."""
    slice_bytes = math.prod(shape[1:]) * dtype.itemsize
    height = min(shape[0], max(1, int(block_bytes // max(1, slice_bytes))))
    whole, rest = divmod(shape[0], height)
    return (height,) * whole + ((rest,) if rest else ())


def container_body(
    metadata: Mapping[str, Any], access_tags: tuple[str, ...], spec: tuple[str, str] | None = None
) -> dict[str, Any]:
    """Return what creates a container."""
    return {
        "structure_family": "container",
        "metadata": metadata,
        "specs": [{"name": spec[0], "version": spec[1]}] if spec else [],
        "data_sources": [],
        "access_tags": list(access_tags) or None,
    }


def array_body(
    shape: tuple[int, ...],
    dtype: np.dtype[Any],
    heights: tuple[int, ...],
    metadata: Mapping[str, Any],
    access_tags: tuple[str, ...],
) -> dict[str, Any]:
    """Return what creates an array that is stored chunk by chunk."""
    endianness = {"|": "not_applicable", "<": "little", ">": "big"}[dtype.str[0]]
    structure = {
        "data_type": {"endianness": endianness, "kind": dtype.kind, "itemsize": dtype.itemsize},
        "chunks": [list(heights), *([size] for size in shape[1:])],
        "shape": list(shape),
        "dims": list("zyx") if len(shape) == 3 else None,
        "resizable": False,
    }
    return _with_source("array", structure, metadata, access_tags, None)


def table_body(
    columns: Mapping[str, npt.NDArray[Any]], access_tags: tuple[str, ...]
) -> tuple[dict[str, Any], bytes]:
    """Return what creates a table (as parquet), and the table as an Arrow file."""
    import pyarrow as pa

    try:
        table = pa.table({name: _column(values) for name, values in columns.items()})
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise BadInput(f"these columns are no table: {error}") from error
    schema = base64.b64encode(table.schema.serialize()).decode("ascii")
    structure = {
        "arrow_schema": _SCHEMA_PREFIX + schema,
        "npartitions": 1,
        "columns": list(columns),
        "resizable": False,
    }
    body = _with_source("table", structure, {}, access_tags, "application/x-parquet")
    return body, arrow_file(table)


def arrow_file(table: Any) -> bytes:
    """Return a pyarrow table as an Arrow file."""
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _column(values: npt.NDArray[Any]) -> Any:
    """Return rows as pyarrow takes them; a column of vectors becomes a column of lists."""
    array = np.asarray(values)
    return array if array.ndim == 1 and array.dtype.kind != "O" else array.tolist()


def _with_source(
    family: str,
    structure: Mapping[str, Any],
    metadata: Mapping[str, Any],
    access_tags: tuple[str, ...],
    mimetype: str | None,
) -> dict[str, Any]:
    source: dict[str, Any] = {
        "structure_family": family,
        "structure": structure,
        "id": None,
        "mimetype": mimetype,
        "parameters": {},
        "properties": {},
        "assets": [],
        "management": "writable",
    }
    return {
        "structure_family": family,
        "metadata": metadata,
        "specs": [],
        "data_sources": [source],
        "access_tags": list(access_tags) or None,
    }
