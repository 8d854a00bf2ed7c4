from __future__ import annotations

from collections.abc import Iterator

import pytest

from streamlcn.store import LocalTiled
from tests.servers import tiled_server


@pytest.fixture(scope="session")
def tiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalTiled]:
    with tiled_server(tmp_path_factory.mktemp("tiled")) as server:
        yield server
