"""No worker outlives its daemon, and no two work on one journal."""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["die_with_parent", "only_worker"]

_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when the process ``parent``, which started it, dies (Linux).

    Exits at once when that has happened already.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        sys.exit(1)


@contextmanager
def only_worker(directory: Path) -> Iterator[None]:
    """Hold the folder's lock for workers; waits for one that is just being killed."""
    directory.mkdir(parents=True, exist_ok=True)
    handle = os.open(directory / "worker.lock", os.O_CREAT | os.O_RDWR, 0o640)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
