"""Instruments with some of their numbers changed, by the dotted names that their data files use."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from simulators.instruments import Instrument

_Part = TypeVar("_Part")


def tuned(instrument: Instrument, changes: Iterable[str]) -> Instrument:
    """Return the instrument with each change made, such as ``camera.hot_share=0`` or ``exposure_s=0.5``.

    Raises
    ------
    ValueError
        A change has no such form, names nothing, or gives a value of another kind.
    """
    for change in changes:
        name, equals, text = change.partition("=")
        if not equals:
            raise ValueError(f"{change!r} sets nothing: write NAME=VALUE, such as camera.hot_share=0")
        try:
            value = tomllib.loads(f"value = {text}")["value"]
        except tomllib.TOMLDecodeError as wrong:
            raise ValueError(f"{change!r}: {text!r} is no value ({wrong})") from wrong
        instrument = _with(instrument, name.strip().split("."), value, change)
    return instrument


def _with(part: _Part, path: list[str], value: Any, change: str) -> _Part:
    names = [item.name for item in fields(part)] if is_dataclass(part) else []
    if path[0] not in names:
        raise ValueError(f"{change!r}: there is no {path[0]!r}; choose one of {', '.join(names) or 'none'}")
    old = getattr(part, path[0])
    if len(path) > 1 or is_dataclass(old):
        new = _with(old, path[1:] or [""], value, change)
    else:
        new = _like(old, value, change)
    return replace(part, **{path[0]: new})  # type: ignore[type-var]


def _like(old: Any, value: Any, change: str) -> Any:
    """Return the value in the old one's kind: whole numbers pass for others, lists for tuples."""
    if isinstance(old, tuple) and isinstance(value, list) and len(value) == len(old):
        return tuple(_like(one, other, change) for one, other in zip(old, value, strict=True))
    if isinstance(old, float):
        if type(value) in (int, float) and abs(value) < float("inf"):
            return float(value)
    elif not isinstance(old, tuple) and type(value) is type(old):
        return value
    raise ValueError(f"{change!r}: give a value like {old!r}")
