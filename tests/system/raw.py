"""Raw runs in tiled."""

from __future__ import annotations

import copy
import warnings

from streamlcn.store import LocalTiled
from tests.recorder import Documents

__all__ = ["store_raw"]


def store_raw(tiled: LocalTiled, documents: Documents) -> None:
    """File a run's documents as bluesky's writer does."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside tiled and its writer
        from bluesky_tiled_plugins import TiledWriter
        from tiled.client import from_uri

        client = from_uri(tiled.uri, api_key=tiled.api_key)
        writer = TiledWriter(client, batch_size=1, max_array_size=0)
        for name, document in documents:
            writer(name, copy.deepcopy(document))
        client.context.close()
