"""The guard of tests/conftest.py guards."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import closing

import httpx
import pytest

FAR = ("192.0.2.7", 9)  # RFC 5737: an address for documentation, nobody's


def _connect() -> None:
    with closing(socket.socket()) as one:
        one.connect(FAR)


def _connect_ex() -> None:
    with closing(socket.socket(socket.AF_INET6)) as one:
        one.connect_ex(("2001:db8::1", 9, 0, 0))


def _datagram() -> None:
    with closing(socket.socket(type=socket.SOCK_DGRAM)) as one:
        one.sendto(b"hello", FAR)


def _library() -> None:
    with httpx.Client(trust_env=False) as client:
        client.get(f"http://{FAR[0]}:{FAR[1]}/")


def _coroutine() -> None:
    asyncio.run(asyncio.open_connection(*FAR))


@pytest.mark.parametrize("reach", [_connect, _connect_ex, _datagram, _library, _coroutine])
def test_nothing_leaves_this_machine(reach: Callable[[], None]) -> None:
    with pytest.raises(pytest.fail.Exception, match="loopback only"):
        reach()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_is_free(host: str) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection((host, server.getsockname()[1])) as client,
        server.accept()[0] as accepted,
    ):
        client.sendall(b"hello")
        assert accepted.recv(5) == b"hello"
