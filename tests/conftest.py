"""What holds for every test: nothing leaves this machine.

A test that hangs is ended by pytest-timeout, which prints the stacks of all threads; should the main thread
hang outside Python, pytest's own faulthandler does (`faulthandler_timeout` in pyproject.toml).
"""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# Before torch is loaded: threads that wait leave the core to the other processes of a test.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# A shell ignores SIGINT for what it starts in the background, and children inherit that; tests need it heard.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# Time on a busy machine says nothing about a test; pytest-timeout ends what hangs.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")


def is_local(address: Any) -> bool:
    """Return whether an address of `socket.connect` stays on this machine; a path or abstract name does."""
    if not isinstance(address, tuple):
        return True
    host = str(address[0]).partition("%")[0]
    if host in ("", "localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False  # a name: who knows where it leads


@pytest.fixture(scope="session", autouse=True)
def _loopback_only() -> Iterator[None]:
    """Fail the test that connects or sends elsewhere; no ``except Exception`` takes it for an outage.

    Sockets of libzmq and of other processes are not Python's and are not seen here.
    """

    def guarded(method: str) -> Callable[..., Any]:
        original = getattr(socket.socket, method)

        def guard(self: socket.socket, *arguments: Any) -> Any:
            if not is_local(arguments[-1]):
                self.close()  # its caller may await an OSError only
                pytest.fail(f"a test would have reached {arguments[-1]} by socket.{method}: loopback only")
            return original(self, *arguments)

        return guard

    with pytest.MonkeyPatch.context() as patch:
        for method in ("connect", "connect_ex", "sendto"):
            patch.setattr(socket.socket, method, guarded(method))
        yield
