"""Tell systemd what the probes tell: READY=1 when ready, WATCHDOG=1 only while live."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Mapping

from streamlcn.ports import Clock
from streamlcn.telemetry._health import Health

__all__ = ["SystemdNotifier"]


class SystemdNotifier:
    """Speaks ``sd_notify`` for a `Health`; does nothing where systemd did not ask for it.

    ``environment`` holds NOTIFY_SOCKET and WATCHDOG_USEC as systemd sets them. Call `step` from the loop
    that must not hang.
    """

    def __init__(self, health: Health, environment: Mapping[str, str], clock: Clock = time.monotonic) -> None:
        self._health = health
        self._clock = clock
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._pet_every_s = float(environment.get("WATCHDOG_USEC", 0)) / 1e6 / 3
        self._petted_s = float("-inf")
        self._was_ready: bool | None = None

    def step(self) -> None:
        """Say what has changed, and pet the watchdog when it is time and all is well."""
        if not self._address:
            return
        ready, reasons = self._health.readyz()
        if ready != self._was_ready:
            missing = ", ".join(key for key in ("subscribed", "model_loaded", "live") if not reasons[key])
            self._send(("READY=1\n" if ready else "") + f"STATUS={'ready' if ready else 'not ' + missing}")
            self._was_ready = ready
        now = self._clock()
        if self._pet_every_s and now - self._petted_s >= self._pet_every_s and self._health.is_live:
            self._send("WATCHDOG=1")
            self._petted_s = now

    def stopping(self) -> None:
        """Say that the end was asked for."""
        self._send("STOPPING=1")

    def _send(self, text: str) -> None:
        if not self._address:
            return
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as speaker:
            speaker.sendto(text.encode(), self._address)
