"""A real tiled server with raw runs that bluesky's own writer has stored there."""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from recording import Documents

os.environ.setdefault("TILED_RETRY_ATTEMPTS", "3")  # read when tiled is imported


@pytest.fixture(scope="session")
def raw_uri(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Address of the container of raw runs, and the server's API key."""
    from servers import tiled_server

    folder: Path = tmp_path_factory.mktemp("raw-tiled")
    with tiled_server(folder) as server:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from tiled.client import from_uri
        client = from_uri(server.uri, api_key=server.api_key)
        client.create_container("raw")
        client.context.close()
        yield f"{server.uri}/api/v1/metadata/raw", server.api_key


@pytest.fixture(scope="session")
def store_run(raw_uri: tuple[str, str]) -> Callable[..., None]:
    """Store the documents of a run as `TiledWriter` does; the same run only once."""

    @cache
    def stored(key: tuple[str, ...]) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecations inside tiled and its writer
            from bluesky_tiled_plugins import TiledWriter
            from tiled.client import from_uri

            uri, api_key = raw_uri
            client = from_uri(uri, api_key=api_key)
            writer = TiledWriter(client, batch_size=1, max_array_size=0)
            for name, document in waiting.pop(key):
                writer(name, copy.deepcopy(document))
            client.context.close()

    waiting: dict[tuple[str, ...], Documents] = {}

    def store(documents: Documents) -> None:
        key = tuple(document["uid"] for name, document in documents if name == "start")
        waiting[key] = documents
        stored(key)

    return store
