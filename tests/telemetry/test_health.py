"""Health means progress, on an injected clock."""

from __future__ import annotations

import contextlib
import socket

import pytest

from streamlcn.telemetry import EventTelemetry, Health, SystemdNotifier, TelemetrySettings

SETTINGS = TelemetrySettings(ingest_deadline_s=10, worker_deadline_s=20, stage_deadline_s=100)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def health(clock):
    return Health(SETTINGS, clock)


def test_existing_is_not_living(health, clock):
    assert health.livez() == (True, {"live": True, "overdue_s": {}})
    clock.now = 10.5
    assert health.livez() == (False, {"live": False, "overdue_s": {"ingest": 10.5}})
    health.apply({"event": "ingest", "connected": True})
    assert health.is_live


def test_a_stage_is_due_only_while_it_is_open(health, clock):
    def work() -> None:
        with EventTelemetry(health.apply).timed("segment"):
            clock.now = 101
            health.beat("ingest")
            assert health.overdue() == {"segment": 101}
            health.beat("segment")  # still at it
            assert health.is_live
            raise RuntimeError("a stage that fails is closed too")

    with pytest.raises(RuntimeError, match="closed too"):
        work()
    clock.now = 5000
    health.beat("ingest")
    assert health.is_live


def test_the_worker_is_due_from_its_first_beat_and_between_stages(health, clock):
    clock.now = 1000
    health.beat("ingest")
    assert health.is_live, "a worker that still loads its model is not dead"
    health.apply({"event": "beat", "stage": "worker"})
    health.apply({"event": "beat", "stage": "reconstruct"})
    clock.now = 1090
    health.beat("ingest")
    assert health.is_live, "its loop stands while a stage works"
    health.apply({"event": "timed", "stage": "reconstruct", "seconds": 90.0})
    clock.now = 1109
    health.beat("ingest")
    assert health.is_live
    clock.now = 1111
    health.beat("ingest")
    assert health.overdue() == {"worker": 21}
    health.forget_worker()
    assert health.is_live


def test_ready_needs_subscription_and_model_but_not_tiled(health):
    assert health.readyz()[1] == {
        "ready": False, "subscribed": False, "model_loaded": False, "live": True, "tiled": "unknown"
    }  # fmt: skip
    health.apply({"event": "ingest", "connected": True})
    assert not health.is_ready
    health.apply({"event": "model", "name": "sensor3d"})
    health.apply({"event": "store", "spooled": 3, "degraded": True})
    ready, reasons = health.readyz()
    assert ready
    assert reasons["tiled"] == "degraded"
    health.apply({"event": "ingest", "connected": False})
    assert not health.is_ready
    health.tell(subscribed=True)
    health.forget_worker()
    assert not health.is_ready


def test_systemd_hears_ready_once_and_no_watchdog_while_stalled(health, clock, tmp_path):
    address = str(tmp_path / "notify")
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as manager:
        manager.bind(address)
        manager.setblocking(False)

        def heard() -> list[str]:
            lines = []
            with contextlib.suppress(BlockingIOError):
                while True:
                    lines.append(manager.recv(1000).decode())
            return lines

        notifier = SystemdNotifier(health, {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "9000000"}, clock)
        notifier.step()
        assert heard() == ["STATUS=not subscribed, model_loaded", "WATCHDOG=1"]
        health.tell(subscribed=True, model_loaded=True)
        notifier.step()
        assert heard() == ["READY=1\nSTATUS=ready"]
        clock.now = 3.0
        notifier.step()
        assert heard() == ["WATCHDOG=1"]
        clock.now = 11.0
        notifier.step()
        assert heard() == ["STATUS=not live"]
        notifier.stopping()
        assert heard() == ["STOPPING=1"]


def test_without_systemd_nothing_is_said(health):
    SystemdNotifier(health, {}).step()
    SystemdNotifier(health, {"NOTIFY_SOCKET": "/nowhere/at/all"}).step()
