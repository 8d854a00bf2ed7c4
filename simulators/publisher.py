"""Publish documents to a bluesky 0MQ proxy, in bluesky's wire format, losing nothing of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

import zmq
from zmq.utils.monitor import recv_monitor_message

from simulators.codecs import Document, to_pickle

_LINGER_MS = 10_000
_SEND_TIMEOUT_MS = 30_000


class NoProxy(ConnectionError):
    """Nobody takes documents at the address to publish to."""


class DocumentPublisher:
    """A RunEngine callback: ``prefix``, a space, the document's name, a space, the encoded document.

    `bluesky.callbacks.zmq.Publisher` sends the same bytes, but from a PUB socket: its first documents vanish
    when the proxy has not subscribed yet, and others when its buffer is full. Here an XPUB socket, which
    speaks the same protocol, tells when the subscription has arrived, and blocks instead of dropping.

    Parameters
    ----------
    address
        The proxy's in side, such as ``tcp://127.0.0.1:5577``.
    encode
        Turns a document into bytes, see `simulators.codecs`.
    prefix
        Put before each document; subscribers can filter by it. No spaces.
    """

    def __init__(
        self, address: str, *, encode: Callable[[Document], bytes] = to_pickle, prefix: bytes = b""
    ) -> None:
        if b" " in prefix:
            raise ValueError(f"the prefix {prefix!r} holds a space: documents could not be split again")
        self.address = address
        self._encode = encode
        self._prefix = prefix
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.XPUB)
        self._socket.setsockopt(zmq.XPUB_NODROP, 1)
        self._socket.setsockopt(zmq.SNDTIMEO, _SEND_TIMEOUT_MS)
        self._socket.setsockopt(zmq.LINGER, _LINGER_MS)
        self._monitor = self._socket.get_monitor_socket(zmq.EVENT_HANDSHAKE_SUCCEEDED)
        try:
            self._socket.connect(address)
        except zmq.ZMQError as refused:
            self.close()
            raise ValueError(f"cannot publish to {address!r}: {refused}; give tcp://HOST:PORT") from refused

    def wait_until_heard(self, timeout_s: float = 15.0) -> None:
        """Return when the proxy has shaken hands and subscribed, so that no document can fall into the void.

        Raises
        ------
        NoProxy
            It did not happen in time; the message says how far it came.
        """
        deadline = time.monotonic() + timeout_s
        if not self._poll(self._monitor, deadline):
            raise NoProxy(f"no 0MQ proxy answers at {self.address} after {timeout_s:g} s: start one with "
                          "`bluesky-0MQ-proxy IN_PORT OUT_PORT` and publish to its in side")  # fmt: skip
        recv_monitor_message(self._monitor)
        while self._poll(self._socket, deadline):
            if self._socket.recv()[:1] == b"\x01":
                return
        raise NoProxy(f"{self.address} answers but subscribes to nothing: is this the proxy's in side?")

    def __call__(self, name: str, document: Document) -> None:
        """Send one document; blocks while the proxy cannot keep up, raises NoProxy when that lasts."""
        self.send_raw(b" ".join((self._prefix, str(name).encode(), self._encode(document))))

    def send_raw(self, message: bytes) -> None:
        """Send bytes that need not be a document."""
        try:
            self._socket.send(message)
        except zmq.Again as stuck:
            raise NoProxy(
                f"the proxy at {self.address} took no document for {_SEND_TIMEOUT_MS / 1000:g} s"
            ) from stuck

    def close(self) -> None:
        """Wait until everything has left, then close; called again, it does nothing."""
        if not self._socket.closed:
            self._socket.disable_monitor()
            self._monitor.close(linger=0)
            self._socket.close()
            self._context.term()

    def __enter__(self) -> DocumentPublisher:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @staticmethod
    def _poll(socket: zmq.Socket[Any], deadline: float) -> bool:
        """Wait in short steps, so that a signal's handler gets its turn."""
        while (left := deadline - time.monotonic()) > 0:
            if socket.poll(int(min(left, 0.2) * 1000) + 1):
                return True
        return False
