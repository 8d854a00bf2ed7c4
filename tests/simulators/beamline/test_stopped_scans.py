"""A session hears signals, whichever thread they reach, and says that it was stopped, whatever fails then."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import bluesky.plan_stubs as bps
import pytest

from simulators.plans import Plan
from simulators.run_log import RunLog
from simulators.session import Session, Stopped

LONG_S = 100.0


@contextmanager
def deaf_main_thread() -> Iterator[None]:
    """Let no signal reach the main thread: the kernel gives it to another one, as it may anyway."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])


def stopped_by_sigterm(session: Session, plan: Plan, begun: threading.Event) -> None:
    """Run ``plan`` and send SIGTERM once it has begun."""

    def send() -> None:
        assert begun.wait(LONG_S)
        os.kill(os.getpid(), signal.SIGTERM)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        with pytest.raises(Stopped) as stopped:
            session.run(plan)
    finally:
        sender.join()
    assert stopped.value.signum == signal.SIGTERM


def endless(begun: threading.Event) -> Plan:
    yield from bps.open_run()
    begun.set()
    yield from bps.sleep(LONG_S)
    yield from bps.close_run()


def test_a_signal_that_another_thread_takes_is_heard():
    log, begun = RunLog(), threading.Event()
    with Session() as session, session.stopping_on_signals():
        session.subscribe(log)
        with deaf_main_thread():
            stopped_by_sigterm(session, endless(begun), begun)
    assert list(log.exit_statuses.values()) == ["abort"]


def test_a_device_that_fails_because_the_scan_was_stopped_is_no_failure():
    log, begun = RunLog(), threading.Event()

    def plan() -> Plan:
        try:
            yield from endless(begun)
        finally:
            raise RuntimeError("the file is closed")

    with Session() as session, session.stopping_on_signals():
        session.subscribe(log)
        stopped_by_sigterm(session, plan(), begun)
    assert len(log.exit_statuses) == 1
    assert None not in log.exit_statuses.values()


def test_a_device_that_fails_by_itself_is():
    def plan() -> Plan:
        yield from bps.null()
        raise RuntimeError("the file is closed")

    with Session() as session, pytest.raises(RuntimeError, match="the file is closed"):
        session.run(plan())
