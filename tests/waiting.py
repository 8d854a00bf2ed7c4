"""Waiting for what a thread or another process does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

__all__ = ["until"]


def until(condition: Callable[[], Any], what: str, patience_s: float) -> Any:
    """Return what ``condition`` returns once that is true; raises TimeoutError, naming ``what``."""
    deadline, pause = time.monotonic() + patience_s, threading.Event()
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"no {what} within {patience_s:.0f} s")
        pause.wait(0.02)
    return found
