"""Real servers for tests, each in a process of its own on a free port."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from streamlcn.store import LocalTiled, start_local_tiled

__all__ = ["tiled_server"]


@contextmanager
def tiled_server(directory: Path, readable_storage: Sequence[Path] = ()) -> Iterator[LocalTiled]:
    """Start a tiled server on SQLite and wait until it is ready (8 to 16 s); make it a session's fixture."""
    with start_local_tiled(directory, readable_storage=readable_storage) as server:
        server.wait_ready(timeout_s=280.0)  # below the limit of a test, for machines that are busy
        yield server
