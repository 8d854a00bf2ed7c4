"""Keys laid over keys: a profile over the one that it extends, overrides over both."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from streamlcn.profile._schema import Node, choice_of, is_free_mapping, node_below, profile_schema, settled

__all__ = ["merged", "with_absolute_paths"]


def merged(base: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return sections laid over sections, key by key.

    What is not a section of known keys (values, lists, mappings of free keys) is replaced whole, and so is a
    section by one of another backend or kind.
    """
    return _merged(profile_schema(), base, values)


def with_absolute_paths(values: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return the values with relative paths taken from ``folder``, and ``~`` from the home."""
    return {key: _placed(node_below(profile_schema(), key), value, folder) for key, value in values.items()}


def _merged(node: Node, base: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in values.items():
        old, below = result.get(key), _below(node, key)
        if below and isinstance(old, Mapping) and isinstance(value, Mapping) and _is_same(below, old, value):
            result[key] = _merged(below, old, value)
        else:
            result[key] = value
    return result


def _is_same(node: Node, old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    choice = choice_of(node)
    if choice:
        tag = choice[0]
        return tag not in new or old.get(tag) == new[tag]
    return not is_free_mapping(node)


def _placed(node: Node | None, value: Any, folder: Path) -> Any:
    if node is None:
        return value
    if isinstance(value, str) and settled(node).get("format") == "path":
        return str(folder / Path(value).expanduser())
    if isinstance(value, list):
        return [_placed(_below(node, "0"), item, folder) for item in value]
    if isinstance(value, Mapping):
        return {key: _placed(_below(node, str(key)), item, folder) for key, item in value.items()}
    return value


def _below(node: Node, key: str) -> Node | None:
    """Return the node below; of a choice the first that has the key, since the tag may be said elsewhere."""
    choice = choice_of(node)
    sections = choice[1].values() if choice else (node,)
    return next((found for section in sections if (found := node_below(section, key))), None)
