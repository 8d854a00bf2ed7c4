"""The JSON schema of a profile, and ways through it by key.

A *node* is a part of the schema. Its keys may be those of a section (``web.port``), those of a mapping that
is free to have any (``documents.files.root_map``), or numbers in a list. A *choice* is a section whose keys
depend on a tag (``backend``, ``kind``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

from streamlcn.profile._model import Profile

__all__ = [
    "Node",
    "Place",
    "choice_of",
    "is_free_mapping",
    "keys_of",
    "node_below",
    "place_of",
    "profile_schema",
    "settled",
]

Node: TypeAlias = Mapping[str, Any]


@cache
def profile_schema() -> dict[str, Any]:
    """Return the JSON schema of a profile, as committed in ``profiles/profile.schema.json``.

    Tags of choices are required in it, though each backend alone knows its own: without, an editor could not
    tell which one is meant, and nor can we. What another profile gives, by ``extends``, is not required.
    """
    schema = Profile.model_json_schema()
    for choice in _choices(schema):
        for reference in choice["mapping"].values():
            definition = schema["$defs"][reference.rpartition("/")[2]]
            definition["required"] = sorted({choice["propertyName"], *definition.get("required", ())})
    inherited = [key for key in schema.pop("required") if key != "name"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "required": ["name"],
        "anyOf": [{"required": inherited}, {"required": ["extends"]}],
    }


def _choices(part: Any) -> Iterable[Node]:
    if isinstance(part, dict):
        if isinstance(part.get("discriminator"), dict):
            yield part["discriminator"]
        part = list(part.values())
    if isinstance(part, list):
        for inner in part:
            yield from _choices(inner)


def settled(node: Node) -> Node:
    """Follow references, and leave out that a value may also be null or stand for a list of one."""
    if "$ref" in node:
        return settled(profile_schema()["$defs"][node["$ref"].rpartition("/")[2]])
    others = [one for one in node.get("anyOf", ()) if one.get("type") != "null"]
    lists = [one for one in others if one.get("type") == "array"]
    if len(others) == 1 or lists:
        return settled((lists or others)[0])
    return node


def choice_of(node: Node) -> tuple[str, dict[str, Node]] | None:
    """Return the tag's key and the section for each of its values; None where there is no choice."""
    choice = settled(node).get("discriminator")
    if choice is None:
        return None
    return choice["propertyName"], {tag: {"$ref": to} for tag, to in choice["mapping"].items()}


def keys_of(node: Node) -> dict[str, Node]:
    """Return what a section can say; empty for anything but a section."""
    return dict(settled(node).get("properties", {}))


def is_free_mapping(node: Node) -> bool:
    """Whether any key may stand below."""
    return isinstance(settled(node).get("additionalProperties"), dict)


def node_below(node: Node, key: str) -> Node | None:
    """Return what the schema says about one key, or position, of a node; None when it has no such key."""
    node = settled(node)
    if is_free_mapping(node):
        return dict(node["additionalProperties"])
    if "items" in node:
        return dict(node["items"])
    return keys_of(node).get(key)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where in a profile an error is.

    ``keys`` as people write them, ``node`` at their end (None: no such key), ``section`` above it, and
    ``tag``, such as ``backend: fbp``, when the section was chosen by one.
    """

    keys: tuple[str, ...]
    node: Node | None
    section: Node
    tag: str


def place_of(location: Iterable[str | int]) -> Place:
    """Return the place of an error by pydantic, which puts tags and names of types between the keys."""
    node: Node | None = profile_schema()
    section: Node = profile_schema()
    keys: list[str] = []
    tag = ""
    for part in map(str, location):
        choice = choice_of(node) if node else None
        if choice and part in choice[1]:
            node, tag = choice[1][part], f"{choice[0]}: {part}"
            continue
        if node is None or not (keys_of(node) or is_free_mapping(node) or "items" in settled(node)):
            break
        section, node = node, node_below(node, part)
        keys.append(part)
    return Place(keys=tuple(keys), node=node, section=section, tag=tag)
