"""The least that a document must have before anyone looks at it: the keys that identify and connect it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from streamlcn.documents._refused import refused

__all__ = ["NAMES", "checked"]

_LONGEST_UID = 500
_Check = Callable[[Any], bool]


def _is_uid(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_UID


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST_UID


def _is_map(value: Any) -> bool:
    return isinstance(value, dict)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**31


def _is_seq_num(value: Any) -> bool:
    return type(value) is int and 1 <= value < 2**31


def _is_range(value: Any) -> bool:
    if not isinstance(value, dict) or not (_is_count(value.get("start")) and _is_count(value.get("stop"))):
        return False
    return bool(value["start"] < value["stop"])


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _is_data_keys(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(key, dict)
        and isinstance(key.get("shape", []), list | tuple)
        and all(size is None or _is_count(size) for size in key.get("shape", []))
        for key in value.values()
    )


def _is_seq_nums(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_seq_num, value))


def _is_map_of_lists(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(rows, list) or (isinstance(rows, np.ndarray) and rows.ndim > 0) for rows in value.values()
    )


_EVENT: Mapping[str, _Check] = {
    "uid": _is_uid,
    "descriptor": _is_uid,
    "seq_num": _is_seq_num,
    "time": _is_number,
    "data": _is_map,
    "timestamps": _is_map,
}
_REQUIRED: Mapping[str, Mapping[str, _Check]] = {
    "start": {"uid": _is_uid, "time": _is_number},
    "descriptor": {"uid": _is_uid, "run_start": _is_uid, "name": _is_name, "data_keys": _is_data_keys},
    "event": _EVENT,
    "event_page": {
        "uid": _is_list,
        "descriptor": _is_uid,
        "seq_num": _is_seq_nums,
        "time": _is_list,
        "data": _is_map_of_lists,
        "timestamps": _is_map_of_lists,
    },
    "datum": {"datum_id": _is_uid, "resource": _is_uid, "datum_kwargs": _is_map},
    "datum_page": {"datum_id": _is_list, "resource": _is_uid, "datum_kwargs": _is_map_of_lists},
    "resource": {
        "uid": _is_uid,
        "spec": _is_name,
        "root": _is_name,
        "resource_path": _is_name,
        "resource_kwargs": _is_map,
    },
    "stream_resource": {"uid": _is_uid, "data_key": _is_name, "uri": _is_name, "parameters": _is_map},
    "stream_datum": {
        "uid": _is_uid,
        "stream_resource": _is_uid,
        "descriptor": _is_uid,
        "seq_nums": _is_range,
        "indices": _is_range,
    },
    "stop": {"uid": _is_uid, "run_start": _is_uid, "exit_status": _is_name},
    "bulk_events": {},
    "bulk_datum": {},
}
NAMES = frozenset(_REQUIRED)


def checked(name: str, document: Any) -> dict[str, Any]:
    """Return ``document`` if it has what a document of this name needs; raises `BadDocument`."""
    if type(document) is not dict:
        raise refused("invalid", f"a {name} document is a map, not a {type(document).__name__}")
    for key, is_right in _REQUIRED[name].items():
        if key not in document:
            raise refused("invalid", f"a {name} document without {key!r}")
        if not is_right(document[key]):
            raise refused("invalid", f"a {name} document whose {key!r} cannot be {_shown(document[key])}")
    if name in ("event_page", "datum_page"):
        _check_rows(name, document)
    return document


def _shown(value: Any) -> str:
    return repr(value)[:80] if isinstance(value, str | int | float) else f"this {type(value).__name__}"


def _check_rows(name: str, page: Mapping[str, Any]) -> None:
    ids, tables = ("uid", ("data", "timestamps")) if name == "event_page" else ("datum_id", ("datum_kwargs",))
    rows = len(page[ids])
    columns = [page[key] for key in ("seq_num", "time") if key in page]
    columns += [column for table in tables for column in page[table].values()]
    if any(len(column) != rows for column in columns):
        raise refused("invalid", f"an {name} of {rows} rows has columns of other lengths")
    if not all(map(_is_uid, page[ids])):
        raise refused("invalid", f"an {name} has rows without an id")
