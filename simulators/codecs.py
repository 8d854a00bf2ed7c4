"""How documents become bytes on the wire: the three ways in which publishers in use do it."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from typing import Any

import msgpack  # type: ignore[import-untyped]
import msgpack_numpy  # type: ignore[import-untyped]
import orjson

Document = Mapping[str, Any]


def to_pickle(document: Document) -> bytes:
    """Encode as bluesky's own publisher does by default."""
    return pickle.dumps(document)


def to_msgpack(document: Document) -> bytes:
    """Encode as publishers with msgpack-numpy do: arrays as maps of type, shape and bytes."""
    packed: bytes = msgpack.packb(document, default=msgpack_numpy.encode, use_bin_type=True)
    return packed


def to_json(document: Document) -> bytes:
    """Encode as JSON: arrays become nested lists, so this suits documents without pixels, or small ones."""
    options = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
    return orjson.dumps(document, option=options, default=_plain)


def _plain(value: Any) -> Any:
    """Give orjson what it does not know: arrays that are not contiguous, numpy scalars, other mappings."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


CODECS: dict[str, Callable[[Document], bytes]] = {
    "pickle": to_pickle,
    "msgpack": to_msgpack,
    "json": to_json,
}
