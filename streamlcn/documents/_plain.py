"""What is left of a decoded payload must be plain: maps, lists, text, numbers, arrays; and not too deep."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamlcn.documents._pickles import ArrayShell
from streamlcn.documents._refused import refused

__all__ = ["plain"]

_DEEPEST = 40
_SCALARS = frozenset((str, int, float, bool, type(None)))


def plain(value: Any, most_values: int) -> Any:
    """Return ``value`` with arrays in the place of their shells.

    Raises `BadDocument` for any other type, for what is nested too deep (which finds what contains itself),
    and for what would be too much when written out in full (which finds what is a few bytes only because its
    parts are shared).
    """
    return _Walk(most_values).visit(value, 0)


class _Walk:
    def __init__(self, left: int) -> None:
        self._left = left

    def visit(self, value: Any, depth: int) -> Any:
        kind = type(value)
        self._spend(1)
        if kind in _SCALARS:
            return _checked(value)
        if kind is dict:
            self._descend(depth)
            return {_key(key): self.visit(part, depth + 1) for key, part in value.items()}
        if kind is list or kind is tuple:
            return self._sequence(value, depth)
        if kind is ArrayShell and value.value is not None:
            return value.value
        if kind is np.ndarray or isinstance(value, np.number | np.bool_ | np.str_ | np.bytes_):
            return value
        if kind is bytes:
            return value
        raise refused("unsafe", f"a document cannot hold a {kind.__name__[:60]}")

    def _sequence(self, value: Any, depth: int) -> Any:
        self._descend(depth)
        if {int, float}.issuperset(map(type, value)):  # pixels written out in JSON: not one by one
            self._spend(len(value))
            return list(map(_checked, value)) if int in set(map(type, value)) else list(value)
        parts = [self.visit(part, depth + 1) for part in value]
        return parts if type(value) is list else tuple(parts)

    def _descend(self, depth: int) -> None:
        if depth >= _DEEPEST:
            raise refused("unsafe", f"refused values nested more than {_DEEPEST} deep")

    def _spend(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise refused("too_large", "refused a document of too many values")


def _key(key: object) -> str:
    if type(key) is not str:
        raise refused("invalid", f"a document's keys are text, not {type(key).__name__[:60]}")
    return key


def _checked(value: Any) -> Any:
    if type(value) is int and not -(2**63) <= value < 2**64:
        raise refused("invalid", "a whole number of more than 64 bits")
    return value
