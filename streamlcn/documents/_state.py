"""What is known about a connection, as a snapshot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["SourceState"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceState:
    """How a source is doing.

    ``is_connected``: the transport stands; ``is_ready``: the 0MQ handshake is done and documents can come.
    ``received`` counts good documents by name, ``rejected`` bad ones by reason, ``dropped`` those that found
    the queue full. ``last_document_s`` is when the last good document was taken, by the source's clock.
    """

    is_connected: bool = False
    is_ready: bool = False
    connections: int = 0
    disconnections: int = 0
    failed_handshakes: int = 0
    received: Mapping[str, int] = field(default_factory=dict)
    rejected: Mapping[str, int] = field(default_factory=dict)
    received_bytes: int = 0
    dropped: int = 0
    queued: int = 0
    queued_bytes: int = 0
    last_document_s: float | None = None

    def age_s(self, now_s: float) -> float | None:
        """Return the time since the last good document."""
        return None if self.last_document_s is None else now_s - self.last_document_s
