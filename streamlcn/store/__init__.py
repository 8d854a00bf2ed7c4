"""Where results go."""

from streamlcn.store._make import make_store, read_api_key
from streamlcn.store._memory import MemoryStore, StoredResult
from streamlcn.store._read import fetch_result, find_result, read_result
from streamlcn.store._runs import Condition, FoundRun, find_runs, parse_query
from streamlcn.store._server import LocalTiled, start_local_tiled
from streamlcn.store._spool import SpoolStore
from streamlcn.store._tiled import RESULT_SPEC, TiledStore
from streamlcn.store.settings import StoreSettings

__all__ = [
    "RESULT_SPEC",
    "Condition",
    "FoundRun",
    "LocalTiled",
    "MemoryStore",
    "SpoolStore",
    "StoreSettings",
    "StoredResult",
    "TiledStore",
    "fetch_result",
    "find_result",
    "find_runs",
    "make_store",
    "parse_query",
    "read_api_key",
    "read_result",
    "start_local_tiled",
]
