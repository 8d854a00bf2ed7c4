"""Child processes that never outlive their parent's `with` block."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import TypeVar

from streamlcn.errors import StreamLCNError

__all__ = ["Child", "ChildDied", "Children", "started", "stop_signals_raise"]

_SECONDS_TO_LEAVE = 8.0
Started = TypeVar("Started")


class ChildDied(StreamLCNError):
    """A process that the demonstration needs ended too early."""


class Child:
    """One process in a session of its own, so that Ctrl-C reaches the parent alone.

    Its stdout is read line by line, its stderr goes to ``log``.
    """

    def __init__(self, name: str, command: Sequence[str], *, log: Path, environ: Mapping[str, str]) -> None:
        self.name = name
        self.log = log
        with log.open("wb") as sink:
            self.process = subprocess.Popen(
                [sys.executable, "-u", "-m", *command],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=sink,
                env={**os.environ, **environ},
                start_new_session=True,
                text=True,
            )
        self._lines: SimpleQueue[str] = SimpleQueue()
        self._reader = threading.Thread(target=self._read, name=f"stdout of {name}", daemon=True)
        self._reader.start()

    def line(self, timeout_s: float) -> str | None:
        """Return the next line of its stdout, or None when none came in time."""
        try:
            return self._lines.get(timeout=timeout_s)
        except Empty:
            return None

    def lines(self) -> Iterator[str]:
        """Yield what is left of its stdout after it has ended."""
        self._reader.join(timeout=_SECONDS_TO_LEAVE)
        while not self._lines.empty():
            yield self._lines.get()

    def check(self) -> None:
        """Raise `ChildDied` with the end of its log if it ended with an error."""
        status = self.process.poll()
        if status:
            tail = self.log.read_text("utf-8", "replace").strip().splitlines()[-12:]
            raise ChildDied(f"the {self.name} ended with status {status}:\n  " + "\n  ".join(tail))

    def ask_to_leave(self) -> None:
        """Send SIGTERM; nothing if it has ended."""
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()

    def leave(self, deadline_s: float) -> None:
        """Wait until ``deadline_s`` (monotonic), then end it and whatever it has started."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(max(0.0, deadline_s - time.monotonic()))
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self._reader.join(timeout=1.0)
        if self.process.stdout and not self._reader.is_alive():
            self.process.stdout.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))


class Children:
    """All processes of one demonstration; leaving ends them in the reverse order of their starts."""

    def __init__(self, log_dir: Path) -> None:
        log_dir.mkdir(parents=True, exist_ok=True)
        self._log_dir = log_dir
        self._children: list[Child] = []

    def __enter__(self) -> Children:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        interrupted = False
        while True:
            try:
                with _signals_wait():
                    self._end_all()
                break
            except KeyboardInterrupt:
                interrupted = True
        if interrupted and kind is None:
            raise KeyboardInterrupt

    def _end_all(self) -> None:
        while self._children:
            child = self._children[-1]
            child.ask_to_leave()
            child.leave(time.monotonic() + _SECONDS_TO_LEAVE)
            self._children.pop()

    def start(self, name: str, command: Sequence[str], environ: Mapping[str, str] | None = None) -> Child:
        """Start ``python -m command``; no signal can fall between its birth and its registration."""
        log = self._log_dir / f"{name.replace(' ', '-')}.log"
        with _signals_wait():
            child = Child(name, command, log=log, environ=environ or {})
            self._children.append(child)
        return child

    def check(self) -> None:
        """Raise `ChildDied` if one of them ended with an error."""
        for child in self._children:
            child.check()


def started(start: Callable[[], Started]) -> Started:
    """Return what ``start`` returns; no signal falls between the birth of a process and its registration."""
    with _signals_wait():
        return start()


@contextlib.contextmanager
def _signals_wait() -> Iterator[None]:
    """Hold back SIGINT and SIGTERM; one that came is raised as KeyboardInterrupt at the end.

    Not by the signal mask: children would inherit that and never hear SIGTERM.
    """
    caught: list[int] = []
    held = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    old = {name: signal.signal(name, lambda number, _: caught.append(number)) for name in held}
    try:
        yield
    finally:
        for name, handler in old.items():
            signal.signal(name, handler)
    if caught:
        raise KeyboardInterrupt


@contextlib.contextmanager
def stop_signals_raise() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise KeyboardInterrupt as Ctrl-C does, so that every ``finally`` runs."""

    def interrupt(_signum: int, _frame: object) -> None:
        raise KeyboardInterrupt

    old = {name: signal.signal(name, interrupt) for name in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for name, handler in old.items():
            signal.signal(name, handler)
