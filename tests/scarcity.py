"""A device with too little memory, for computations that run on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from streamlcn.shortage import Shortage, hearing


class Scarce(TorchFunctionMode):
    """Torch runs out of memory at the calls that ``fails`` names by number, from 0.

    With ``largest`` also at each call that makes a tensor of more elements; `torch.zeros` is let through,
    so that what lives long fits and what is made on the way does not. ``most`` is the most there were.
    """

    def __init__(self, fails: Callable[[int], bool] = lambda _: False, largest: int | None = None) -> None:
        super().__init__()
        self.calls = self.failures = self.most = 0
        self._fails, self._largest = fails, largest

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        number, self.calls = self.calls, self.calls + 1
        if self._fails(number):
            self._fail()
        made = func(*args, **(kwargs or {}))
        is_new = (
            isinstance(made, torch.Tensor) and not made._is_view() and all(made is not one for one in args)
        )
        if is_new and func is not torch.zeros:
            self.most = max(self.most, made.numel())
            if self._largest is not None and made.numel() > self._largest:
                self._fail()
        return made

    def _fail(self) -> None:
        self.failures += 1
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate a lot.")


@contextmanager
def heard() -> Iterator[list[Shortage]]:
    """Collect the shortages that are announced."""
    told: list[Shortage] = []
    with hearing(told.append):
        yield told
