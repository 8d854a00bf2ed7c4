from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from house import House

from streamlcn.demo._processes import Children
from streamlcn.store import LocalTiled
from tests.servers import tiled_server


@pytest.fixture(scope="session")
def tiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalTiled]:
    with tiled_server(tmp_path_factory.mktemp("tiled")) as server:
        yield server


@pytest.fixture
def children(tmp_path: Path) -> Iterator[Children]:
    with Children(tmp_path / "logs") as all_of_them:
        yield all_of_them


@pytest.fixture
def open_house(tmp_path: Path, children: Children, tiled: LocalTiled) -> Callable[..., House]:
    """Make a house whose daemon is not started yet; options are keys of its profile."""

    def make(**options: Any) -> House:
        return House(children, tmp_path, options.pop("uri", tiled.uri), tiled.api_key, **options)

    return make
