"""A scan as it goes through the house, on a terminal."""

from __future__ import annotations

from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

__all__ = ["ScanProgress"]

_STEPS = ("acquiring", "reconstructing", "segmenting", "measuring", "writing")
_NAMES = {
    "acquiring": "projections received",
    "reconstructing": "reconstruction",
    "segmenting": "segmentation",
    "measuring": "morphometry",
    "writing": "writing to tiled",
}


class ScanProgress:
    """Shows the phases of one scan; fed with the daemon's status."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description:<22}"),
            BarColumn(bar_width=32),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
        )
        self._waiting = self._progress.add_task("starting", total=None)
        self._tasks: dict[str, Any] = {}

    def __enter__(self) -> ScanProgress:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def say(self, text: str) -> None:
        """Show what is being waited for."""
        self._progress.update(self._waiting, description=text)

    def note(self, text: str) -> None:
        """Print one line above the bars."""
        self._progress.console.print(text)

    def update(self, scan: dict[str, Any]) -> None:
        """Show ``scan`` (phase, received, expected) as the daemon's status tells it."""
        self._progress.update(self._waiting, visible=False)
        phase = scan.get("phase")
        reached = _STEPS.index(phase) if phase in _STEPS else len(_STEPS)
        expected = scan.get("expected") or None
        for number, step in enumerate(_STEPS):
            if number > reached:
                break
            if step not in self._tasks:
                total = expected if step == "acquiring" else 1
                self._tasks[step] = self._progress.add_task(_NAMES[step], total=total)
            done = 1 if number < reached else 0
            if step == "acquiring":
                done = scan.get("received") or 0
            self._progress.update(self._tasks[step], completed=done)
            if number < reached:
                self._progress.stop_task(self._tasks[step])
