"""When memory runs out: smaller parts, then the CPU, and somebody is told.

A step is a function that either happens whole or not at all, so that it can be tried again. Whoever leads a
scan opens `hearing`; rooms that work on a device use `Parts` and `announce`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import ClassVar, TypeVar

import structlog

__all__ = ["Parts", "Shortage", "announce", "free_cache", "hearing", "is_shortage", "still_at"]

_log = structlog.get_logger(__name__)
_T = TypeVar("_T")

_WORDS = ("out of memory", "can't allocate memory", "alloc_failed")
_LONGEST_WHY = 200


@dataclass(frozen=True, slots=True)
class Shortage:
    """A device or computer had too little memory: ``stage`` as in telemetry, where, and what was done.

    ``event`` is its name in the log, ``runbook`` its section there.
    """

    event: ClassVar[str] = "memory_ran_out"
    runbook: ClassVar[str] = "gpu-memory"

    stage: str
    device: str
    done: str

    @property
    def text(self) -> str:
        """One line for operators and for the result."""
        work = {"reconstruct": "reconstruction", "segment": "segmentation"}.get(self.stage, self.stage)
        return f"memory of {self.device} ran out during {work}: {self.done}"


_Tell = Callable[[Shortage], None]
_Beat = Callable[[str], None]
_listener: ContextVar[tuple[_Tell, _Beat] | None] = ContextVar("shortage_listener", default=None)


@contextmanager
def hearing(tell: _Tell, beat: _Beat = lambda _: None) -> Iterator[None]:
    """Have ``tell`` told of every shortage that this thread meets inside the block.

    ``beat`` is given the stage again and again while work is done anew for it.
    """
    token = _listener.set((tell, beat))
    try:
        yield
    finally:
        _listener.reset(token)


def still_at(stage: str) -> None:
    """Say that work which is done anew goes on."""
    listener = _listener.get()
    if listener is not None:
        listener[1](stage)


def announce(shortage: Shortage, why: str) -> None:
    """Log a shortage as a warning, and tell who hears it; ``why`` is what the allocator said."""
    _log.warning(
        shortage.event,
        stage=shortage.stage,
        device=shortage.device,
        done=shortage.done,
        why=why[:_LONGEST_WHY],
    )
    listener = _listener.get()
    if listener is not None:
        listener[0](shortage)


def is_shortage(error: BaseException) -> bool:
    """Return whether an error says that memory, of a device or of this computer, could not be had."""
    if isinstance(error, MemoryError):
        return True
    if isinstance(
        error, RuntimeError
    ):  # torch.OutOfMemoryError is one; libraries below torch say it in words
        return type(error).__name__ == "OutOfMemoryError" or any(w in str(error).lower() for w in _WORDS)
    return False


def free_cache() -> None:
    """Give back what torch keeps of devices' memory for later use; nothing where no device was used."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.empty_cache()


class Parts:
    """Does steps in parts of a size that is halved, down to ``smallest``, each time memory runs out.

    The size stays: the next step begins with what fitted. ``what`` names parts, such as "slices at a time".
    """

    def __init__(self, stage: str, device: str, what: str, size: int, smallest: int) -> None:
        self._stage, self._device, self._what = stage, device, what
        self.size, self.smallest = size, min(size, smallest)
        self.is_halved = False

    def do(self, step: Callable[[int], _T]) -> _T:
        """Return ``step(size)``; raises the error of the smallest size, and any that is no shortage."""
        why = ""
        while True:
            try:
                done = step(self.size)
            except Exception as error:
                if not is_shortage(error) or self.size <= self.smallest:
                    raise
                why = str(error)  # no more is kept: the traceback holds the memory that the step had
            else:
                break
            self.size, self.is_halved = max(self.smallest, self.size // 2), True
            free_cache()
        if why:
            announce(Shortage(self._stage, self._device, f"went on with {self.size} {self._what}"), why)
        return done
