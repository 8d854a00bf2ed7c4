"""Every key that a profile can have, found by walking the schema, with two values that it may take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from streamlcn.profile._schema import Node, choice_of, is_free_mapping, keys_of, profile_schema, settled

SPECIAL: dict[str, tuple[Any, Any]] = {"shell_inner_voxels": (1.0, 2.0), "shell_outer_voxels": (8.0, 9.0)}
"""Values of keys that others bound."""


@dataclass(frozen=True, kw_only=True)
class Leaf:
    """``name`` has the tags of choices in brackets: ``reconstruction.method[fbp].device``."""

    name: str
    keys: tuple[str, ...]
    tags: Mapping[tuple[str, ...], tuple[str, str]]
    sections: tuple[Node, ...]
    node: Node

    def profile(self, value: Any) -> dict[str, Any]:
        """Return a profile's values in which this key has ``value``, beside what its sections need."""
        values: dict[str, Any] = {"name": "x", "segmentation": {"backend": "otsu"}}
        place = values
        for depth, key in enumerate(self.keys[:-1], 1):
            inner = _needed(self.sections[depth], self.keys[-1])
            inner.update([self.tags[self.keys[:depth]]] if self.keys[:depth] in self.tags else [])
            place[key.removesuffix("[]")] = [inner] if key.endswith("[]") else inner
            place = inner
        place[self.keys[-1]] = value
        return values

    def two_values(self) -> tuple[Any, Any]:
        """Return two different values that this key may have."""
        return SPECIAL.get(self.keys[-1]) or _two(self.node)


def leaves() -> list[Leaf]:
    """Return all keys that are no sections."""
    return list(_leaves(Leaf(name="", keys=(), tags={}, sections=(), node=profile_schema())))


def _needed(section: Node, wanted: str) -> dict[str, Any]:
    """Return values for the keys without which a section is refused."""
    keys = {key: keys_of(section)[key] for key in settled(section).get("required", ())}
    if settled(section).get("title") == "LinspaceAngle" and wanted != "stop":
        keys["range"] = keys_of(section)["range"]
    return {key: _two(node)[0] for key, node in keys.items() if "const" not in node}


def _leaves(place: Leaf) -> Iterator[Leaf]:
    node, keys, name = settled(place.node), place.keys, place.name
    choice = choice_of(node)
    if choice:
        for tag, section in choice[1].items():
            tags = {**place.tags, keys: (choice[0], tag)}
            yield from _leaves(replace(place, name=f"{name}[{tag}]", node=section, tags=tags))
    elif "items" in node and (choice_of(node["items"]) or keys_of(node["items"])):
        yield from _leaves(replace(place, keys=(*keys[:-1], keys[-1] + "[]"), node=node["items"]))
    elif keys_of(node):
        for key, inner in keys_of(node).items():
            if "const" not in inner:
                below = f"{name}.{key}".removeprefix(".")
                sections = (*place.sections, node)
                yield from _leaves(
                    replace(place, name=below, keys=(*keys, key), sections=sections, node=inner)
                )
    else:
        yield place


def _two(node: Node) -> tuple[Any, Any]:
    if "anyOf" in node:
        return _two(next(one for one in node["anyOf"] if one.get("type") != "null" and "const" not in one))
    node = settled(node)
    if "enum" in node:
        return node["enum"][0], node["enum"][1]
    if is_free_mapping(node):
        first, second = _two(node["additionalProperties"])
        return {"key": first}, {"key": second}
    if "prefixItems" in node:
        pairs = [_two(item) for item in node["prefixItems"]]
        return [first for first, _ in pairs], [second for _, second in pairs]
    match node["type"]:
        case "boolean":
            return False, True
        case "integer" | "number":
            return _two_numbers(node)
        case "array":
            first, second = _two(node["items"])
            return [first], [second]
    pattern = node.get("pattern", "")
    if "a-f" in pattern:
        return "a" * 64, "b" * 64
    if pattern.endswith(r":\d+$"):
        return "a:1", "b:1"
    return ("start.a", "start.b") if pattern.startswith("^(start") else ("a", "b")


def _two_numbers(node: Node) -> tuple[float, float]:
    low = node.get("minimum", node.get("exclusiveMinimum", 0))
    high = node.get("maximum", node.get("exclusiveMaximum", low + 8))
    step = max(1, (high - low) // 4) if node["type"] == "integer" else (high - low) / 4
    return low + step, low + 2 * step
