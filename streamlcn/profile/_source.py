"""One file of keys, or the keys of a command line; and which of several said what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from streamlcn.errors import BadProfile

__all__ = ["Source", "has", "read_source", "whose"]

_KEY_TAGS = ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """``name`` is for people; ``folder`` is what paths in it are relative to."""

    name: str
    values: Mapping[str, Any]
    folder: Path
    tree: yaml.Node | None = None

    def place(self, keys: Sequence[str]) -> str:
        """Return the name, and the line where it says these keys."""
        node, line = self.tree, 0
        for key in keys:
            node, line = _below(node, key, line)
        return f"{self.name}, line {line}" if line else self.name


def read_source(path: Path) -> Source:
    """Read a YAML file.

    Raises
    ------
    BadProfile
        It is not YAML, says a key twice, or holds something else than keys.
    """
    try:
        loader = yaml.SafeLoader(path.read_text("utf-8"))
        try:
            tree = loader.get_single_node()
            _check(tree, path)
            values = loader.construct_document(tree) if tree else None
        finally:
            loader.dispose()
    except OSError as error:
        raise BadProfile(f"{path}: cannot be read: {error.strerror or error}") from error
    except (UnicodeDecodeError, ValueError, yaml.YAMLError) as error:
        if isinstance(error, BadProfile):
            raise
        raise BadProfile(f"{path}: not YAML: {_where(error)}") from error
    if not isinstance(values, dict):
        what = "nothing" if values is None else f"a {type(values).__name__}"
        raise BadProfile(
            f"{path}: a profile is lines of 'key: value', this file holds {what}; "
            "profiles/anatomix/profile.yaml is one to begin from"
        )
    return Source(name=str(path), values=values, folder=path.parent.resolve(), tree=tree)


def whose(keys: Sequence[str], sources: Sequence[Source]) -> Source | None:
    """Return the first source that says something at these keys."""
    return next((source for source in sources if has(source.values, keys)), None)


def has(values: Any, keys: Sequence[str]) -> bool:
    """Whether there is a value at these keys; numbers pick from lists."""
    for key in keys:
        if isinstance(values, Mapping) and key in values:
            values = values[key]
        elif isinstance(values, list) and key.isdigit() and int(key) < len(values):
            values = values[int(key)]
        else:
            return False
    return True


def _below(node: yaml.Node | None, key: str, line: int) -> tuple[yaml.Node | None, int]:
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == key:
                return value, name.start_mark.line + 1
    elif isinstance(node, yaml.SequenceNode) and key.isdigit() and int(key) < len(node.value):
        value = node.value[int(key)]
        return value, value.start_mark.line + 1
    return None, line


def _check(node: yaml.Node | None, path: Path, above: tuple[yaml.Node, ...] = ()) -> None:
    """Refuse two equal keys, of which YAML would keep the last and say nothing, and endless values."""
    line = node.start_mark.line + 1 if node else 0
    if any(node is one for one in above):
        raise BadProfile(f"{path}, line {line}: this value contains itself; write it without '*'")
    if isinstance(node, yaml.SequenceNode):
        for value in node.value:
            _check(value, path, (*above, node))
    elif isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for name, value in node.value:
            line = name.start_mark.line + 1
            if name.tag not in _KEY_TAGS:
                raise BadProfile(f"{path}, line {line}: '{name.value}' is no text, as keys are; use quotes")
            if name.value in lines:
                raise BadProfile(
                    f"{path}, line {line}: '{name.value}' stands in line {lines[name.value]} already; "
                    "put both into one"
                )
            lines[name.value] = line
            _check(value, path, (*above, node))


def _where(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    if mark is None:
        return str(error)
    return f"line {mark.line + 1}, column {mark.column + 1}: {getattr(error, 'problem', None) or error}"
