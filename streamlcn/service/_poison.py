"""A scan that kills the worker again and again is given up, so that those behind it get their turn."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog

__all__ = ["MOST_CRASHES", "CrashBook"]

MOST_CRASHES = 3
_FILE = "crashes.json"

_log = structlog.get_logger(__name__)


class CrashBook:
    """Counts, on disk, the bugs met while a scan was under way.

    Kills from outside (a signal, the kernel out of memory) are not counted: they say nothing of the scan.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / _FILE
        self._book: dict[str, dict[str, Any]] = {}
        with suppress(FileNotFoundError, ValueError):  # a torn book is a lost count, no lost scan
            self._book = json.loads(self._path.read_text("utf-8"))

    def given_up(self) -> tuple[str, ...]:
        """Uids of the scans that have met too many."""
        return tuple(uid for uid, entry in self._book.items() if entry["count"] >= MOST_CRASHES)

    def note(self, uids: Sequence[str], error: BaseException) -> None:
        """Blame the scans under way for ``error``."""
        for uid in uids:
            entry = self._book.setdefault(uid, {"count": 0})
            entry["count"] += 1
            entry["reason"] = f"{type(error).__name__}: {error}"[:500]
        if uids:
            self._write()

    def forget(self, uid: str) -> None:
        """Note that a scan has ended well after all."""
        if self._book.pop(uid, None) is not None:
            self._write()

    def announce(self, emit: Callable[[Mapping[str, Any]], None]) -> None:
        """Tell the operators what was given up."""
        for uid in self.given_up():
            text = f"scan {uid} was given up after {MOST_CRASHES} crashes: {self._book[uid]['reason']}"
            _log.error("scan_given_up", scan_uid=uid, reason=self._book[uid]["reason"])
            emit(
                {"event": "warning", "level": "error", "text": text, "runbook": "worker-flapping", "uid": uid}
            )

    def _write(self) -> None:
        fresh = self._path.with_suffix(".new")
        fresh.write_text(json.dumps(self._book), "utf-8")
        fresh.replace(self._path)
