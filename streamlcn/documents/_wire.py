"""One 0MQ message is one document: prefix, space, name, space, payload."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgpack  # type: ignore[import-untyped]
import numpy as np
import orjson

from streamlcn.documents._arrays import array_from, dtype_from, scalar_from
from streamlcn.documents._pickles import unpickled
from streamlcn.documents._plain import plain
from streamlcn.documents._refused import refused
from streamlcn.documents._schema import NAMES, checked
from streamlcn.documents.settings import DecodeLimits
from streamlcn.errors import BadDocument

__all__ = ["decode", "encode", "split"]

_HEAD_BYTES = 300
_LIMITS = DecodeLimits()


def split(message: bytes | memoryview) -> tuple[bytes, str, memoryview]:
    """Return prefix, name and payload, which is not copied. Raises `BadDocument`."""
    prefix, name, start = _parted(message)
    return prefix, name, memoryview(message)[start:]


def _parted(message: bytes | memoryview) -> tuple[bytes, str, int]:
    head = bytes(message[:_HEAD_BYTES])
    prefix, first, rest = head.partition(b" ")
    name, second, _ = rest.partition(b" ")
    if not first or not second:
        raise refused("undecodable", f"a message that is no document: {head[:60]!r}")
    return prefix, name.decode("ascii", "replace"), len(prefix) + len(name) + 2


def decode(message: bytes | memoryview, limits: DecodeLimits = _LIMITS) -> tuple[str, dict[str, Any]]:
    """Return (name, document) of a message in pickle, msgpack or JSON; the first byte tells which.

    Nothing is imported or executed, whatever the message says; arrays are read-only views of its bytes.
    Values are plain: maps, lists, tuples, text, bytes, numbers, numpy scalars and arrays. Connecting keys
    (uid, run_start, descriptor, seq_num, ...) are there and have the right type. Raises `BadDocument`, whose
    ``reason`` is 'undecodable', 'unsafe', 'too_large' or 'invalid'.
    """
    if len(message) > limits.message_bytes:
        raise refused(
            "too_large", f"a message of {len(message)} bytes; the limit is {limits.message_bytes} bytes"
        )
    _, name, start = _parted(message)
    if name not in NAMES:
        raise refused("invalid", f"{name[:40]!r} is not the name of a document")
    try:
        return name, checked(name, plain(_unpacked(message, start, limits), limits.values))
    except BadDocument:
        raise
    except Exception as error:  # broken bytes raise anything; none of it may stop the reader
        raise refused("undecodable", f"a {name} that cannot be decoded ({_said(error)})") from error


def encode(
    name: str,
    document: Mapping[str, Any],
    *,
    codec: Literal["msgpack", "json"] = "msgpack",
    prefix: bytes = b"",
) -> bytes:
    """Return the message of a document, without pickle: msgpack holds arrays as they are, JSON as lists."""
    if codec == "json":
        payload = orjson.dumps(dict(document), default=_listed)
    else:
        payload = msgpack.packb(dict(document), default=_packable, use_bin_type=True)
    return b" ".join((prefix, name.encode("ascii"), payload))


def _unpacked(message: bytes | memoryview, start: int, limits: DecodeLimits) -> Any:
    payload = memoryview(message)[start:]
    first = payload[0] if len(payload) else -1
    if first == 0x80 and len(payload) > 1 and 3 <= payload[1] <= 5:
        return unpickled(bytes(message), start, limits.pickle_opcodes)
    if 0x81 <= first <= 0x8F or first in (0xDE, 0xDF):
        return msgpack.unpackb(payload, object_hook=_array_hook, strict_map_key=False)
    if first == 0x7B:
        return orjson.loads(payload)
    raise refused(
        "undecodable", "the payload is neither pickle (protocol 3 to 5), msgpack map nor JSON object"
    )


def _array_hook(found: dict[Any, Any]) -> Any:
    """Undo msgpack-numpy's encoding of arrays and scalars; its own decoder would unpickle objects."""
    if b"nd" not in found and "nd" not in found:
        return found
    parts = {key.decode() if isinstance(key, bytes) else key: part for key, part in found.items()}
    if not {"nd", "type", "data"} <= parts.keys():
        return found
    dtype = dtype_from(parts["type"])
    if parts["nd"] is True:
        return array_from(parts["data"], dtype, parts.get("shape"))
    return scalar_from(parts["data"], dtype)


def _packable(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        data = {b"nd": True, b"type": value.dtype.str, b"kind": b"", b"shape": value.shape}
        return {**data, b"data": np.ascontiguousarray(value).tobytes()}
    if isinstance(value, np.generic):
        return {b"nd": False, b"type": value.dtype.str, b"data": value.tobytes()}
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a document cannot hold a {type(value).__name__}")


def _listed(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"a document cannot hold a {type(value).__name__}")


def _said(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:160]}"
