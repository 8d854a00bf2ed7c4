"""What is left of a decoded payload must be plain: maps, lists, text, numbers, arrays; and not too deep."""

from __future__ import annotations

from typing import Any

import numpy as np

from streamlcn.documents._pickles import ArrayShell
from streamlcn.documents._refused import refused

__all__ = ["plain"]

_DEEPEST = 40
_SCALARS = frozenset((str, float, bool, type(None), bytes))
_NUMPY = (np.number, np.bool_, np.str_, np.bytes_)


def plain(value: Any, most_values: int) -> Any:
    """Return ``value`` with arrays in the place of their shells.

    Raises `BadDocument` for any other type, for what is nested too deep or contains itself, and for what
    would be too much when written out in full: a few bytes can hold a list of fifty times the same list of
    fifty times the same list, and so on. Parts that are shared are looked at once.
    """
    return _Walk(most_values).visit(value, 0)[0]


_Part = tuple[Any, int, int]
"""(value, how many values it holds when written out, how deep it is)."""


class _Walk:
    def __init__(self, most: int) -> None:
        self._most = most
        self._known: dict[int, _Part | None] = {}  # None: being looked at

    def visit(self, value: Any, depth: int) -> _Part:
        kind = type(value)
        if kind in _SCALARS:
            return value, 1, 0
        if kind is int:
            return _checked(value), 1, 0
        if kind is dict or kind is list or kind is tuple:
            return self._container(value, depth)
        if kind is ArrayShell and value.value is not None:
            return value.value, 1, 0
        if kind is np.ndarray or isinstance(value, _NUMPY):
            return value, 1, 0
        raise refused("unsafe", f"a document cannot hold a {kind.__name__[:60]}")

    def _container(self, value: Any, depth: int) -> _Part:
        if id(value) not in self._known:
            self._known[id(value)] = None
            _limit_depth(depth)
            self._known[id(value)] = self._parts(value, depth)
        known = self._known[id(value)]
        if known is None:
            raise refused("unsafe", "refused a list that contains itself")
        _limit_depth(depth + known[2] - 1)
        return known

    def _parts(self, value: Any, depth: int) -> _Part:
        if type(value) is dict:
            parts = [self.visit(part, depth + 1) for part in value.values()]
            made: Any = {_key(key): part[0] for key, part in zip(value, parts, strict=True)}
        elif value and {int, float}.issuperset(map(type, value)):  # pixels written out: not one by one
            whole = [number for number in value if type(number) is int]
            _checked(max(whole, default=0))
            _checked(min(whole, default=0))
            return self._limited(value, len(value) + 1, 1)
        else:
            parts = [self.visit(part, depth + 1) for part in value]
            made = [part[0] for part in parts] if type(value) is list else tuple(part[0] for part in parts)
        count, height = 1, 0
        for part in parts:
            count += part[1]
            height = max(height, part[2])
        return self._limited(made, count, height + 1)

    def _limited(self, made: Any, count: int, height: int) -> _Part:
        if count > self._most:
            raise refused("too_large", f"refused a document of more than {self._most} values")
        return made, count, height


def _limit_depth(depth: int) -> None:
    if depth >= _DEEPEST:
        raise refused("unsafe", f"refused values nested more than {_DEEPEST} deep")


def _key(key: object) -> str:
    if type(key) is not str:
        raise refused("invalid", f"a document's keys are text, not {type(key).__name__[:60]}")
    return key


def _checked(value: int) -> int:
    if not -(2**63) <= value < 2**64:
        raise refused("invalid", "a whole number of more than 64 bits")
    return value
