"""The table of all keys, for people."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from streamlcn.profile._schema import Node, choice_of, is_free_mapping, keys_of, profile_schema, settled

__all__ = ["key_reference"]

_HEAD = """\
# Every key of a profile

How to write a profile is in [profiles.md](profiles.md). This page is made from the settings by
`python -m streamlcn.profile keys > docs/profile-keys.md`; a test fails when it is stale.
"""
_BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
_WORDS = {"string": "text", "boolean": "true or false", "object": "mapping", "array": "list"}


def key_reference() -> str:
    """Return a Markdown page with one table for each section, in the order of the sections."""
    return "\n".join([_HEAD, *_section("", profile_schema(), set())])


def _section(name: str, node: Node, seen: set[str]) -> Iterator[str]:
    choice = choice_of(node)
    if choice:
        for tag, inner in choice[1].items():
            yield from _section(f"{name}` with `{choice[0]}: {tag}", inner, seen)
        return
    section = settled(node)
    keys = {key: inner for key, inner in keys_of(section).items() if "const" not in inner}
    below = {key: _item(inner) for key, inner in keys.items() if _has_own_table(inner)}
    rows = [
        _row(key, inner, section) for key, inner in keys.items() if key not in below or "default" in inner
    ]
    yield f"## {f'`{name}`' if name else 'The top'}\n\n{_prose(section)}\n"
    if rows:
        yield "\n".join(["| key | value | default | |\n|---|---|---|---|", *rows, ""])
    titles = [inner.get("title", key) for key, inner in below.items()]
    for (key, inner), title in zip(below.items(), titles, strict=True):
        if title not in seen:
            seen.add(title)
            last = "*" if titles.count(title) > 1 else key
            brackets = "[]" if settled(keys[key]).get("type") == "array" else ""
            above, tick, choice_made = name.partition("`")
            below_it = f"{above}.{last}{brackets}".removeprefix(".")
            yield from _section(f"{below_it}{tick}{choice_made}", inner, seen)


def _row(key: str, node: Node, section: Node) -> str:
    what = _cell(node.get("description", ""))
    return f"| `{key}` | {_value(node)} | {_default(node, key, section)} | {what} |"


def _has_own_table(node: Node) -> bool:
    return bool(keys_of(_item(node)) or choice_of(_item(node)))


def _item(node: Node) -> Node:
    """Return what a list is of, or the node itself."""
    items = settled(node).get("items")
    return settled(items if isinstance(items, dict) else node)


def _prose(section: Node) -> str:
    return " ".join(str(section.get("description", "")).replace("``", "`").split())


def _cell(text: Any) -> str:
    return " ".join(str(text).split()).replace("|", "\\|").replace("<", "&lt;")


def _default(node: Node, key: str, section: Node) -> str:
    if "default" not in node:
        return "*needed*" if key in section.get("required", ()) else "`{}`"
    value = node["default"]
    return f"`{_written(_without_defaults(value))}`"


def _without_defaults(value: Any) -> Any:
    """Leave out what goes without saying in a section: null, scales and offsets that change nothing."""
    if isinstance(value, list):
        return [_without_defaults(part) for part in value]
    if not isinstance(value, Mapping):
        return value
    idle = {"scale": 1.0, "offset": 0.0}
    return {name: part for name, part in value.items() if part is not None and idle.get(name) != part}


def _written(value: Any) -> str:
    """Return a value in one line as YAML takes it."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {_written(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_written, value)) + "]"
    if isinstance(value, str):
        return value if value and not set(value) & set("{}[]") else json.dumps(value)
    return json.dumps(value)


def _value(node: Node) -> str:
    if "anyOf" in node:
        words = [_value(one) for one in node["anyOf"]]
        lists = [word for word in words if word.startswith("list of")]
        if lists:
            return f"{_value(settled(node)['items'])}, or a list" + (", or null" if "null" in words else "")
        return " or ".join(dict.fromkeys(words))
    node = settled(node)
    if "enum" in node:
        return ", ".join(f"`{word}`" for word in node["enum"])
    if _has_own_table(node):
        return "sections, see below" if "items" in node else "section, see below"
    if "items" in node:
        return f"list of {_value(node['items'])}"
    if "prefixItems" in node:
        return f"[{', '.join(map(_value, node['prefixItems']))}]"
    if node.get("format") == "path":
        return "path"
    kind = str(node.get("type", "section"))
    bounds = [f"{sign} {node[name]:g}" for name, sign in _BOUNDS.items() if name in node]
    if str(node.get("pattern", "")).startswith("^(start|"):
        kind = "place in a document"
    return " ".join(
        [("mapping" if is_free_mapping(node) else _WORDS.get(kind, kind)), " and ".join(bounds)]
    ).strip()
