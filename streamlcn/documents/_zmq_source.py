"""Documents from a bluesky 0MQ proxy."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import zmq
from zmq.utils.monitor import recv_monitor_message

from streamlcn.documents._curve import curve_keys
from streamlcn.documents._inbox import Inbox
from streamlcn.documents._refused import reason_of
from streamlcn.documents._state import SourceState
from streamlcn.documents._wire import decode
from streamlcn.documents.settings import ReceiveSettings
from streamlcn.errors import BadDocument, BadInput

__all__ = ["Received", "ZmqSource"]

_POLL_MS = 100
_FAILED = (
    zmq.EVENT_HANDSHAKE_FAILED_AUTH | zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL
    | zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
)  # fmt: skip
_RETRYING = zmq.EVENT_CONNECT_RETRIED | zmq.EVENT_CONNECT_DELAYED
_WATCHED = (
    zmq.EVENT_CONNECTED | zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_DISCONNECTED | _RETRYING | _FAILED
)  # fmt: skip
_GIVEN_UP_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One good document and the message that it came in."""

    name: str
    document: dict[str, Any]
    message: bytes


class ZmqSource:
    """Subscribes to a proxy's out side. A thread of its own only polls and queues; taking decodes.

    Backpressure: the queue is bounded by bytes. With ``overflow='block'`` the thread stops reading when it is
    full, libzmq's buffer (``receive_hwm`` messages) fills after it, and then the proxy drops, silently: only
    counting against the plan shows it. With 'drop' the newest message is lost here, and counted.

    Parameters
    ----------
    address
        The proxy's out side, such as ``tcp://localhost:5578``.
    prefix
        Only documents published under it; the proxy filters. Empty: those published without one.
    clock
        What ``state.last_document_s`` is measured by; wall clock by default.
    """

    def __init__(
        self,
        address: str,
        *,
        prefix: str = "",
        settings: ReceiveSettings | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Connect; raises `BadInput` for an address, a prefix or a file of keys that cannot be."""
        if " " in prefix:
            raise BadInput(f"the prefix {prefix!r} holds a space, and documents are split at spaces")
        self.address = address
        self._settings = settings or ReceiveSettings()
        self._clock = clock
        self._inbox = Inbox(self._settings.queue_bytes)
        self._received: Counter[str] = Counter()
        self._rejected: Counter[str] = Counter()
        self._bytes = self._dropped = 0
        self._last_s: float | None = None
        self._link: Counter[str] = Counter()
        self._is_connected = False
        self._lost_s: float | None = None
        self._ready = threading.Event()
        self._ending = threading.Event()
        keys = curve_keys(self._settings.curve) if self._settings.curve else {}
        self._context = zmq.Context()
        self._socket = _subscriber(self._context, self._settings, prefix, keys)
        self._monitor = self._socket.get_monitor_socket(_WATCHED)
        try:
            self._socket.connect(address)
        except zmq.ZMQError as error:
            self._release()
            raise BadInput(f"cannot subscribe to {address!r}: {error}; give tcp://HOST:PORT") from error
        self._thread = threading.Thread(target=self._run, name="document-receiver", daemon=True)
        self._thread.start()

    def __enter__(self) -> ZmqSource:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def state(self) -> SourceState:
        """How the connection is doing now."""
        queued, queued_bytes = self._inbox.load
        return SourceState(
            is_connected=self._is_connected,
            is_ready=self._ready.is_set(),
            connections=self._link["connected"],
            disconnections=self._link["disconnected"],
            failed_handshakes=self._link["failed"],
            received=dict(self._received),
            rejected=dict(self._rejected),
            received_bytes=self._bytes,
            dropped=self._dropped,
            queued=queued,
            queued_bytes=queued_bytes,
            last_document_s=self._last_s,
        )

    def wait_ready(self, timeout_s: float) -> bool:
        """Wait for the handshake with the proxy; False when it did not come in time."""
        return self._ready.wait(timeout_s)

    def receive(self, timeout_s: float) -> tuple[str, dict[str, Any]] | None:
        """Return the next (name, document), or None when none came in time. Bad ones are counted."""
        found = self.receive_whole(timeout_s)
        return None if found is None else (found.name, found.document)

    def receive_raw(self, timeout_s: float) -> bytes | None:
        """Return the next message as it came, after it was found to decode; for a journal."""
        found = self.receive_whole(timeout_s)
        return None if found is None else found.message

    def receive_whole(self, timeout_s: float) -> Received | None:
        """Return the next good document with its message, or None when none came in time."""
        deadline = time.monotonic() + timeout_s
        while True:
            message = self._inbox.take(max(0.0, deadline - time.monotonic()))
            if message is None:
                return None
            try:
                name, document = decode(message, self._settings.limits)
            except BadDocument as error:
                self._rejected[reason_of(error)] += 1
                continue
            self._received[name] += 1
            self._bytes += len(message)
            self._last_s = self._clock()
            return Received(name=name, document=document, message=message)

    def close(self) -> None:
        """Stop the thread and close the sockets; may be called twice. What is queued can still be taken."""
        self._ending.set()
        self._inbox.close()
        if self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        poller = zmq.Poller()
        poller.register(self._socket, zmq.POLLIN)
        poller.register(self._monitor, zmq.POLLIN)
        try:
            while not self._ending.is_set():
                ready = dict(poller.poll(_POLL_MS))
                if self._monitor in ready:
                    self._note(recv_monitor_message(self._monitor)["event"])
                self._renew()
                if self._socket in ready:
                    parts = self._socket.recv_multipart()
                    self._queue(parts[0] if len(parts) == 1 else b"")  # no document comes in parts
        finally:
            self._ready.clear()
            self._is_connected = False
            self._release()

    def _queue(self, message: bytes) -> None:
        while not self._inbox.put(message, 0.0 if self._settings.overflow == "drop" else _POLL_MS / 1000):
            if self._ending.is_set():
                return
            if self._settings.overflow == "drop":
                self._dropped += 1
                return

    def _renew(self) -> None:
        """Connect again where libzmq has given up: after a message over the limit it never does by itself."""
        if self._lost_s is None or time.monotonic() - self._lost_s < _GIVEN_UP_S:
            return
        self._lost_s = None
        with suppress(zmq.ZMQError):  # the connection may be gone altogether
            self._socket.disconnect(self.address)
        self._socket.connect(self.address)

    def _note(self, event: int) -> None:
        if event & _RETRYING:
            self._lost_s = None
        elif event == zmq.EVENT_CONNECTED:
            self._lost_s = None
            self._is_connected = True
            self._link["connected"] += 1
        elif event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            self._ready.set()
        elif event == zmq.EVENT_DISCONNECTED:
            self._lost_s = time.monotonic()
            self._is_connected = False
            self._ready.clear()
            self._link["disconnected"] += 1
        else:
            self._ready.clear()
            self._link["failed"] += 1

    def _release(self) -> None:
        self._socket.disable_monitor()
        self._monitor.close(linger=0)
        self._socket.close(linger=0)
        self._context.term()


def _subscriber(
    context: zmq.Context[Any], settings: ReceiveSettings, prefix: str, keys: Mapping[int, bytes]
) -> zmq.Socket[bytes]:
    socket = context.socket(zmq.SUB)
    for option, key in keys.items():
        socket.setsockopt(option, key)
    socket.setsockopt(zmq.RCVHWM, settings.receive_hwm)
    socket.setsockopt(zmq.MAXMSGSIZE, settings.limits.message_bytes)
    socket.setsockopt(zmq.HEARTBEAT_IVL, round(settings.heartbeat_s * 1000))
    socket.setsockopt(zmq.HEARTBEAT_TIMEOUT, round(settings.heartbeat_timeout_s * 1000))
    socket.setsockopt(zmq.TCP_KEEPALIVE, 1)
    socket.setsockopt(zmq.RECONNECT_IVL, 100)
    socket.setsockopt(zmq.RECONNECT_IVL_MAX, 5000)
    socket.setsockopt(zmq.LINGER, 0)
    socket.setsockopt(zmq.SUBSCRIBE, prefix.encode() + b" ")
    return socket
