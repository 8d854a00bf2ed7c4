"""Events from the worker to the daemon's page: a local 0MQ pipe of msgpack maps.

Backpressure: none. Events are snapshots; when nobody takes them the oldest wait, the newest are dropped and
counted. Nothing that a result needs travels here.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any

import msgpack  # type: ignore[import-untyped]
import numpy as np
import zmq

__all__ = ["EventReceiver", "EventSender"]

_WAITING = 2000
_LARGEST_BYTES = 16 * 2**20


class EventReceiver:
    """The daemon's end; binds a free port of the loopback interface."""

    def __init__(self) -> None:
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.PULL)
        self._socket.setsockopt(zmq.RCVHWM, _WAITING)
        self._socket.setsockopt(zmq.MAXMSGSIZE, _LARGEST_BYTES)
        self._socket.setsockopt(zmq.LINGER, 0)
        port: int = self._socket.bind_to_random_port("tcp://127.0.0.1")
        self.address = f"tcp://127.0.0.1:{port}"
        self.malformed = 0

    def drain(self, at_most: int = 500) -> Iterator[dict[str, Any]]:
        """Yield what has come, without waiting."""
        for _ in range(at_most):
            try:
                payload = self._socket.recv(zmq.NOBLOCK)
            except zmq.Again:
                return
            try:
                event = msgpack.unpackb(payload)
            except (ValueError, msgpack.UnpackException):
                self.malformed += 1
                continue
            if isinstance(event, dict):
                yield event
            else:
                self.malformed += 1

    def close(self) -> None:
        """Close the socket; may be called twice."""
        self._socket.close()


class EventSender:
    """The worker's end."""

    def __init__(self, address: str) -> None:
        self._socket: zmq.Socket[bytes] = zmq.Context.instance().socket(zmq.PUSH)
        self._socket.setsockopt(zmq.SNDHWM, _WAITING)
        self._socket.setsockopt(zmq.LINGER, 1000)
        self._socket.connect(address)
        self._lock = threading.Lock()  # the store's connections send too
        self.dropped = self._told = 0

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Send one event or drop it; from any thread; never waits and never raises."""
        with self._lock:
            if not self._sent(event):
                self.dropped += 1
            elif (more := self.dropped - self._told) and self._sent(
                {"event": "count", "what": "events_dropped", "amount": more, "labels": {}}
            ):
                self._told = self.dropped

    def _sent(self, event: Mapping[str, Any]) -> bool:
        try:
            self._socket.send(msgpack.packb(event, default=_plain), zmq.NOBLOCK)
        except zmq.Again:
            return False
        return True

    def close(self) -> None:
        """Send what waits (up to a second) and close; may be called twice."""
        self._socket.close()


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Mapping):
        return dict(value)
    return str(value)
