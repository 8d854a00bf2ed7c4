"""From settings to a store."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from streamlcn.errors import BadInput
from streamlcn.keys import key_from
from streamlcn.ports import ResultStore
from streamlcn.store._memory import MemoryStore
from streamlcn.store._spool import SpoolStore
from streamlcn.store._tiled import TiledStore
from streamlcn.store._wire import OnRequest
from streamlcn.store.settings import StoreSettings

__all__ = ["make_store", "read_api_key"]


def make_store(
    settings: StoreSettings,
    *,
    environ: Mapping[str, str],
    spool_dir: Path | None = None,
    on_request: OnRequest = lambda _outcome, _seconds: None,
) -> ResultStore:
    """Return the store that ``settings`` describe; tiled need not be there yet.

    Parameters
    ----------
    environ
        Where the API key is looked for, normally ``os.environ``.
    spool_dir
        Where results wait while tiled is away, unless the settings name a folder. Without either, a server
        that is away fails the scan.
    on_request
        Told the outcome and the seconds of each request to tiled, from any thread.

    Raises
    ------
    BadInput
        No API key.
    """
    if settings.backend == "memory":
        return MemoryStore()
    store = TiledStore(settings, read_api_key(settings, environ), on_request=on_request)
    folder = settings.spool_dir or spool_dir
    return store if folder is None else SpoolStore(store, folder, retry_s=settings.retry_s)


def read_api_key(settings: StoreSettings, environ: Mapping[str, str]) -> str:
    """Return the key from its environment variable or its file; raises `BadInput` without one."""
    key = key_from(environ, settings.api_key_env, settings.api_key_file, "store.api_key_file")
    if key is None:
        raise BadInput(
            f"no API key for tiled at {settings.uri}: set the environment variable {settings.api_key_env}, "
            "or name a file that holds it in store.api_key_file"
        )
    return key
