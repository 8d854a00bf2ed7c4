"""Keys above those of a file: dotted, as ``--set KEY=VALUE`` gives them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from streamlcn.errors import BadProfile
from streamlcn.profile._schema import Node, choice_of, is_free_mapping, node_below, profile_schema
from streamlcn.profile._source import Source

__all__ = ["override_source", "parse_overrides"]


def parse_overrides(texts: Iterable[str]) -> dict[str, Any]:
    """Return the values by dotted key in texts such as ``store.uri=http://host:8000``.

    A value is read as YAML would read it in a file: ``8790`` is a number, ``true`` a boolean, ``null``
    nothing, ``[/data, /gpfs]`` a list; nothing after the sign is an empty text.

    Raises
    ------
    BadProfile
        No ``=``, no key, a key twice, or brackets that do not close.
    """
    overrides: dict[str, Any] = {}
    for text in texts:
        key, sign, value = (part.strip() for part in text.partition("="))
        if not (key and sign):
            raise BadProfile(f"'{text}' is not KEY=VALUE, such as store.uri=http://localhost:8000")
        if key in overrides:
            raise BadProfile(f"'{text}': {key} has a value already, {overrides[key]!r}; give one of them")
        overrides[key] = _read(text, value)
    return overrides


def _read(text: str, value: str) -> Any:
    is_bracketed = value.startswith(("[", "{"))
    try:
        read = yaml.safe_load(value)
    except (yaml.YAMLError, ValueError) as error:
        if not is_bracketed:
            return value
        raise BadProfile(f"'{text}': not a list or mapping as YAML writes it: {error}") from error
    is_plain = read is None or isinstance(read, bool | int | float | str)
    return read if value and (is_plain or is_bracketed) else value


def override_source(overrides: Mapping[str, Any]) -> Source:
    """Return the sections that the dotted keys describe.

    Raises
    ------
    BadProfile
        A key goes through a value, a list or a mapping of free keys.
    """
    values: dict[str, Any] = {}
    for dotted, value in overrides.items():
        _put(values, dotted, value)
    return Source(name="override", values=values, folder=Path.cwd())


def _put(values: dict[str, Any], dotted: str, value: Any) -> None:
    *path, last = _split(dotted)
    section = values
    for key in path:
        section = section.setdefault(key, {})
        if not isinstance(section, dict):
            raise BadProfile(f"override {dotted}: {key} has a value already, and no keys below")
    if isinstance(section.get(last), dict):
        raise BadProfile(f"override {dotted}: keys below it have values already; give one or the other")
    section[last] = value


def _split(dotted: str) -> list[str]:
    keys = dotted.split(".")
    if not all(keys):
        raise BadProfile(f"override '{dotted}': a key is names with dots between, such as store.uri")
    node: Node | None = profile_schema()
    for number, key in enumerate(keys):
        if node and (is_free_mapping(node) or key.isdigit()):
            whole, braces = ".".join(keys[:number]), "{...}" if is_free_mapping(node) else "[...]"
            raise BadProfile(f"override {dotted}: give all of {whole}, as in {whole}={braces}")
        node = None if node is None or choice_of(node) else node_below(node, key)
    return keys
