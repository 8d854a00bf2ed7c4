"""Results as an analyst reads them: with the tiled client."""

from __future__ import annotations

import os
from contextlib import closing
from typing import Any

import numpy as np

from streamlcn.errors import BadInput
from streamlcn.store._memory import StoredResult
from streamlcn.store.settings import StoreSettings

__all__ = ["fetch_result", "find_result", "read_result"]

_DEFAULT_ROOT: tuple[str, ...] = StoreSettings().root


def find_result(
    uri: str,
    api_key: str | None,
    raw_uid: str,
    *,
    recipe_hash: str | None = None,
    root: tuple[str, ...] = _DEFAULT_ROOT,
) -> Any:
    """Return the tiled client's container of a scan's result; without ``recipe_hash`` the one committed last.

    Raises `BadInput` where there is none. Close its ``context`` in the end.
    """
    os.environ.setdefault("TILED_RETRY_ATTEMPTS", "3")  # read once, at import; 10 take 25 s on a dead server
    from tiled.client import from_uri

    server = from_uri(uri, api_key=api_key)
    try:
        scan = server["/".join((*root, raw_uid))]
        return scan[recipe_hash or scan.metadata.get("recipe_hash") or next(iter(scan))]
    except (KeyError, StopIteration) as error:
        server.context.close()
        wanted = "/".join((*root, raw_uid, recipe_hash or ""))
        raise BadInput(f"tiled at {uri} has no result {wanted}") from error


def fetch_result(
    uri: str,
    api_key: str | None,
    raw_uid: str,
    *,
    recipe_hash: str | None = None,
    root: tuple[str, ...] = _DEFAULT_ROOT,
) -> StoredResult:
    """Find a scan's result, read it whole and close the connection; see `find_result` and `read_result`."""
    node = find_result(uri, api_key, raw_uid, recipe_hash=recipe_hash, root=root)
    with closing(node.context):
        return read_result(node)


def read_result(node: Any) -> StoredResult:
    """Read a whole result, arrays and tables, into memory."""
    result = StoredResult(metadata=dict(node.metadata))
    _read_into(result, node, "")
    return result


def _read_into(result: StoredResult, container: Any, prefix: str) -> None:
    for name, item in container.items():
        key = f"{prefix}{name}"
        family = str(getattr(item.structure_family, "value", item.structure_family))
        if family == "container":
            _read_into(result, item, f"{key}/")
        elif family == "table":
            frame = item.read()
            result.tables[key] = {column: frame[column].to_numpy() for column in frame.columns}
        else:
            result.arrays[key] = np.asarray(item.read())
            result.array_metadata[key] = dict(item.metadata)
