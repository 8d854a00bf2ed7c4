"""Where results go."""

from streamlcn.store._memory import MemoryStore, StoredResult
from streamlcn.store._server import LocalTiled, start_local_tiled
from streamlcn.store._tiled import RESULT_SPEC, TiledStore
from streamlcn.store.settings import StoreSettings

__all__ = [
    "RESULT_SPEC",
    "LocalTiled",
    "MemoryStore",
    "StoreSettings",
    "StoredResult",
    "TiledStore",
    "start_local_tiled",
]
