"""Server-sent events: whole snapshots, latest wins, so a slow browser costs nothing and misses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson

from streamlcn.telemetry import Health
from streamlcn.web._board import Board

__all__ = ["Streams"]

_PULSE_S = 1.0


class Streams:
    """One per app. A ``status`` event carries the whole status, a ``pulse`` each second the health."""

    def __init__(self, board: Board, health: Health, page_hz: float) -> None:
        self._board = board
        self._health = health
        self._least_s = 1 / page_hz
        self._open: set[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = set()
        self._is_closed = False

    def health(self) -> dict[str, Any]:
        """Return liveness and readiness with their reasons."""
        return {**self._health.livez()[1], **self._health.readyz()[1]}

    def close(self) -> None:
        """End all streams; from any thread, may be called twice."""
        self._is_closed = True
        for loop, changed in tuple(self._open):
            _wake(loop, changed)

    async def stream(self) -> AsyncIterator[bytes]:
        """Yield events for one browser until it leaves or `close`."""
        loop, changed = asyncio.get_running_loop(), asyncio.Event()
        changed.set()
        leave = self._board.subscribe(lambda: _wake(loop, changed))
        self._open.add((loop, changed))
        try:
            sent = -1
            yield b"retry: 1000\n\n"
            while not self._is_closed:
                version, status = self._board.snapshot()
                if version != sent:
                    yield b"id: %d\nevent: status\ndata: %b\n\n" % (version, status)
                    sent = version
                    await asyncio.sleep(self._least_s)
                yield b"event: pulse\ndata: " + orjson.dumps(self.health()) + b"\n\n"
                changed.clear()
                if self._board.snapshot()[0] == sent and not self._is_closed:
                    await _wait(changed)
        finally:
            leave()
            self._open.discard((loop, changed))


def _wake(loop: asyncio.AbstractEventLoop, changed: asyncio.Event) -> None:
    """Set an event of another thread's loop; a loop that has ended needs no news."""
    try:
        loop.call_soon_threadsafe(changed.set)
    except RuntimeError:
        return


async def _wait(changed: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(changed.wait(), _PULSE_S)
    except TimeoutError:
        return
