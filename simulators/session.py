"""A RunEngine of one's own: started, told where its documents go, stopped by signals, taken down again."""

# mypy: allow-untyped-calls
# (bluesky says that it is typed, but parts of it are not)

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from types import FrameType
from typing import Any

from bluesky import RunEngine
from bluesky.utils import DuringTask, RequestAbort, RunEngineInterrupted

from simulators.plans import Plan

DocumentCallback = Callable[[str, Mapping[str, Any]], None]


class Stopped(Exception):
    """A signal ended the scan; ``signum`` says which."""

    def __init__(self, signum: int) -> None:
        super().__init__(f"stopped by {signal.Signals(signum).name}")
        self.signum = signum


class _Attentive(DuringTask):
    """Waits for the RunEngine and hears signals meanwhile.

    Python calls handlers of signals in the main thread; a signal that another thread takes does not wake it.
    With cameras that start threads, one scan in some two hundred heard its signal at its end only.
    """

    _look_every_s = 0.1

    def block(self, blocking_event: threading.Event) -> None:
        """Return when ``blocking_event`` is set."""
        while not blocking_event.wait(self._look_every_s):
            pass


class Session:
    """Runs plans one at a time. While one runs, SIGINT and SIGTERM abort it: its run gets a stop document.

    A second signal has its ordinary effect. A plan that pauses itself goes on after ``pause_s`` seconds: the
    RunEngine then does again what came after the plan's last checkpoint.
    """

    pause_s = 0.0

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.engine = RunEngine({}, loop=self.loop, context_managers=[], during_task=_Attentive())
        self._stop_signal: int | None = None
        self._is_in_engine = False

    def subscribe(self, callback: DocumentCallback) -> None:
        """Give every document to ``callback``, in the RunEngine's thread; its exceptions end the scan."""
        self.engine.ignore_callback_exceptions = False
        self.engine.subscribe(lambda name, document: callback(str(name), document))

    def run(self, plan: Plan) -> tuple[str, ...]:
        """Run a plan to its end; returns the uids of its runs.

        Raises
        ------
        Stopped
            A signal came; also where a device failed because the plan was taken away from it.
        """
        self._raise_if_stopped()
        self._is_in_engine = True
        try:
            result = self._to_the_end(self._watched(plan))
        finally:
            self._is_in_engine = False
            self._raise_if_stopped()
        return result if isinstance(result, tuple) else result.run_start_uids

    def _to_the_end(self, plan: Plan) -> Any:
        """Start the engine, and again after each pause."""
        go: Callable[[], Any] = partial(self.engine, plan)
        while True:
            try:
                return go()
            except RunEngineInterrupted:
                if self.engine.state != "paused":
                    return ()
            resumed_at = time.monotonic() + self.pause_s
            while self._stop_signal is None and time.monotonic() < resumed_at:
                time.sleep(min(0.05, self.pause_s))
            go = self.engine.resume if self._stop_signal is None else self.engine.abort

    def close(self) -> None:
        """End the RunEngine's thread, and whatever an aborted scan left in its loop."""
        asyncio.run_coroutine_threadsafe(_cancel_all(), self.loop).result(timeout=10)
        thread = self.engine._th  # noqa: SLF001  it has no public name, and nothing else ends it
        self.loop.call_soon_threadsafe(self.loop.stop)
        thread.join(timeout=10)
        self.loop.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @contextlib.contextmanager
    def stopping_on_signals(self) -> Iterator[None]:
        """Turn SIGINT and SIGTERM into the end of the scan, or of what comes before it; main thread only."""
        old = {number: signal.signal(number, self._stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in old.items():
                signal.signal(number, handler)

    def _raise_if_stopped(self) -> None:
        """Raise what the signal's handler raised where nobody could hear it, in a finaliser for instance."""
        if self._stop_signal is not None:
            raise Stopped(self._stop_signal)

    def _stop(self, signum: int, frame: FrameType | None) -> None:  # noqa: ARG002
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        self._stop_signal = signum
        if not self._is_in_engine:
            raise Stopped(signum)
        if self.engine.state == "running":
            # abort() waits for the loop, and the loop may wait for a lock that this thread holds
            threading.Thread(target=self._abort, name="aborting", daemon=True).start()

    def _abort(self) -> None:
        with contextlib.suppress(Exception):  # it may have ended meanwhile
            self.engine.abort(f"{signal.Signals(self._stop_signal or signal.SIGINT).name} received")

    def _watched(self, plan: Plan) -> Plan:
        """Run the plan unless a signal came before the engine was ready to be aborted."""
        if self._stop_signal is not None:
            plan.close()
            raise RequestAbort
        return (yield from plan)


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@contextlib.contextmanager
def quiet_stdout() -> Iterator[None]:
    """Send what bluesky prints to stderr, and its log as one line per record without tracebacks."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_OneLine("%(name)s: %(message)s"))
    logger = logging.getLogger("bluesky")
    logger.addHandler(handler)
    logger.propagate = False
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        logger.removeHandler(handler)
        logger.propagate = True


class _OneLine(logging.Formatter):
    def formatException(self, ei: Any) -> str:  # noqa: N802  the base class's name
        return f"({ei[0].__name__}: {ei[1]})"
