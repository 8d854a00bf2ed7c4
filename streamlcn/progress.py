"""How long computations say that they go on, without knowing who listens."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Progress", "part_of", "unheard"]

Progress = Callable[[float], None]
"""Told the share of a computation that is done: 0 to 1, never falling. It must be quick and not raise."""


def unheard(share: float) -> None:
    """Nobody listens."""


def part_of(tell: Progress, low: float, high: float) -> Progress:
    """Return what a part of a computation tells its own share to: the whole goes from ``low`` to ``high``."""
    return lambda share: tell(low + (high - low) * share)
