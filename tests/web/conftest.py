"""A real server on a free port of the loopback interface."""

from __future__ import annotations

import threading

import pytest

from streamlcn.telemetry import Health, PrometheusTelemetry
from streamlcn.web import Board, make_app, serve


class Daemon:
    """What the daemon's process holds for its operators."""

    def __init__(self) -> None:
        self.board = Board(profile="anatomix")
        self.health = Health()
        self.telemetry = PrometheusTelemetry()
        self.server = serve(make_app(self.board, self.health, self.telemetry, page_hz=30))
        self.url = self.server.url

    def say(self, **event: object) -> None:
        for listener in (self.board, self.health, self.telemetry):
            listener.apply(event)

    def scan(self, phase: str, received: int, **more: object) -> None:
        self.say(event="scan", uid="3f2a9c11", phase=phase, received=received, expected=120, **more)


@pytest.fixture
def daemon():
    before = set(threading.enumerate())
    daemon = Daemon()
    yield daemon
    daemon.server.stop()
    daemon.server.stop()
    assert set(threading.enumerate()) <= before, "the server leaves a thread behind"
