"""A queue of messages, bounded by their bytes."""

from __future__ import annotations

import threading
from collections import deque

__all__ = ["Inbox"]


class Inbox:
    """Between the thread that receives and the one that works.

    When ``most_bytes`` wait, `put` says so; one message is always taken, however large.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._messages: deque[bytes] = deque()
        self._bytes = 0
        self._changed = threading.Condition()
        self._is_closed = False

    @property
    def load(self) -> tuple[int, int]:
        """How many messages wait, and their bytes."""
        with self._changed:
            return len(self._messages), self._bytes

    def put(self, message: bytes, timeout_s: float) -> bool:
        """Take ``message``; False when there was no room for it within ``timeout_s``, or after `close`."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._has_room(len(message)) or self._is_closed, timeout_s):
                return False
            if self._is_closed:
                return False
            self._messages.append(message)
            self._bytes += len(message)
            self._changed.notify_all()
            return True

    def take(self, timeout_s: float) -> bytes | None:
        """Return the oldest message, or None when none came within ``timeout_s``, or after `close`."""
        with self._changed:
            self._changed.wait_for(lambda: self._messages or self._is_closed, timeout_s)
            if not self._messages:
                return None
            message = self._messages.popleft()
            self._bytes -= len(message)
            self._changed.notify_all()
            return message

    def close(self) -> None:
        """Wake whoever waits; what was received can still be taken."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _has_room(self, size: int) -> bool:
        return not self._messages or self._bytes + size <= self._most_bytes
