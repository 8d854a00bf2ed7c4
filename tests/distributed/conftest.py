"""One scheduler for all tests that leave it alive."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.distributed.processes import DaskProcesses


@pytest.fixture(scope="session")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskProcesses]:
    """A scheduler without workers: see `DaskProcesses.have`."""
    with closing(DaskProcesses(tmp_path_factory.mktemp("dask"))) as processes:
        yield processes


@pytest.fixture
def fragile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskProcesses]:
    """A scheduler of one's own, to be killed."""
    with closing(DaskProcesses(tmp_path_factory.mktemp("dask"))) as processes:
        yield processes
