"""When a training has learnt enough."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Stopper"]


@dataclass(slots=True)
class Stopper:
    """Stops when the loss has not fallen by more than ``min_delta`` for ``patience`` epochs."""

    patience: int | None
    min_delta: float
    is_relative: bool
    best: float | None = None
    waited: int = 0

    def says_stop(self, loss: float) -> bool:
        """Take the loss of one more epoch."""
        scale = abs(self.best or 0.0) if self.is_relative else 1.0
        if self.best is None or loss < self.best - self.min_delta * scale:
            self.best, self.waited = loss, 0
        else:
            self.waited += 1
        return self.is_done

    @property
    def is_done(self) -> bool:
        """Whether patience is used up."""
        return self.patience is not None and self.waited >= self.patience
