"""The daemon's own status, as its page shows it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Self

import httpx

from streamlcn.errors import StreamLCNError

__all__ = ["Status"]

_LOOK_S = 0.1


class Status:
    """Asks a running daemon."""

    def __init__(self, url: str) -> None:
        self._client = httpx.Client(base_url=url, timeout=10.0, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def scan(self) -> dict[str, Any]:
        """Return the scan as the page shows it; empty while the daemon does not answer."""
        try:
            found: dict[str, Any] = self._client.get("/api/status").json()["scan"]
        except (httpx.TransportError, ValueError, KeyError):
            return {}
        return found

    def wait_until_ready(self, check: Callable[[], None], timeout_s: float = 120.0) -> None:
        """Wait until documents may come; ``check`` is called between two looks and may raise."""
        deadline = time.monotonic() + timeout_s
        reasons = "no answer"
        while time.monotonic() < deadline:
            check()
            try:
                answer = self._client.get("/readyz")
            except httpx.TransportError:
                answer = None
            if answer is not None:
                if answer.is_success:
                    return
                reasons = answer.text
            time.sleep(_LOOK_S)
        raise StreamLCNError(f"the daemon was not ready after {timeout_s:.0f} s: {reasons}")
