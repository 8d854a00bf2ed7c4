"""Scans that have results, found by what the results say."""

from __future__ import annotations

import operator
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from streamlcn.errors import BadInput
from streamlcn.store.settings import StoreSettings

__all__ = ["Condition", "FoundRun", "find_runs", "parse_query"]

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
    "=": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}
_CONDITION = re.compile(r"([\w.]+)\s*(>=|<=|!=|=|>|<)\s*(.+)")


@dataclass(frozen=True, slots=True)
class Condition:
    """One comparison of a scalar of results, such as ``lcn.porosity > 0.02``."""

    key: str
    sign: str
    value: Any

    def holds(self, metadata: Mapping[str, Any]) -> bool:
        """Return whether a result's metadata fulfil it; what is not there fulfils nothing."""
        found: Any = metadata
        for part in self.key.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        try:
            return found is not None and _OPERATORS[self.sign](found, self.value)
        except TypeError:
            return False

    @property
    def query(self) -> Any:
        """The same for the server; without ``!=``, which a missing key would fulfil there."""
        from tiled.queries import Key

        return _OPERATORS[self.sign](Key(self.key), self.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundRun:
    """A scan; ``old`` is the metadata of the result looked for, ``new`` those under the new recipe."""

    uid: str
    old: Mapping[str, Any]
    new: Mapping[str, Any] | None


def parse_query(text: str) -> tuple[Condition, ...]:
    """Return the conditions of ``key=value,key>value``; signs are = != > < >= <=.

    Values are numbers, true, false or words, as in YAML. Raises `BadInput`.
    """
    conditions = []
    for part in text.split(","):
        found = _CONDITION.fullmatch(part.strip())
        if found is None:
            raise BadInput(f"{part.strip()!r} is no condition: write status=complete,lcn.porosity>0.02")
        try:
            value = yaml.safe_load(found[3])
        except yaml.YAMLError as error:
            raise BadInput(f"{found[3]!r} in the query is not a value: put it in quotes") from error
        conditions.append(Condition(found[1], found[2], value))
    return tuple(conditions)


def find_runs(
    settings: StoreSettings, api_key: str, conditions: tuple[Condition, ...], recipe_hash: str
) -> list[FoundRun]:
    """Return scans with a result that fulfils all conditions, by uid.

    The newest result counts, unless that is the one under ``recipe_hash``: then an earlier one does, so that
    a query finds the same scans again while they are being processed. Raises `BadInput` where there is no
    server or nothing under its root.
    """
    os.environ.setdefault("TILED_RETRY_ATTEMPTS", "3")  # read once, at import; 10 take 25 s on a dead server
    import httpx
    from tiled.client import from_uri
    from tiled.queries import Key

    try:
        server = from_uri(settings.uri, api_key=api_key)
        try:
            scans = server["/".join(settings.root)]
            newest = scans
            for condition in conditions:
                newest = newest if condition.sign == "!=" else newest.search(condition.query)
            found = dict(_matching(newest, conditions, recipe_hash))
            # where the new result is the newest, what the query means lies below it
            found |= _matching(scans.search(Key("recipe_hash") == recipe_hash), conditions, recipe_hash)
        finally:
            server.context.close()
    except KeyError as error:
        raise BadInput(f"tiled at {settings.uri} has nothing under {'/'.join(settings.root)}") from error
    except (httpx.HTTPError, OSError) as error:
        raise BadInput(f"tiled at {settings.uri} cannot be searched: {error}") from error
    return [found[uid] for uid in sorted(found)]


def _matching(
    scans: Any, conditions: tuple[Condition, ...], recipe_hash: str
) -> Iterator[tuple[str, FoundRun]]:
    for uid, scan in scans.items():
        results = {name: dict(result.metadata) for name, result in scan.items()}
        new = results.pop(recipe_hash, None)
        newest = results.pop(scan.metadata.get("recipe_hash"), {})
        candidates = [newest, *results.values()] if newest or results else [new or {}]
        fits = [one for one in candidates if all(condition.holds(one) for condition in conditions)]
        if fits:
            yield uid, FoundRun(uid=uid, old=fits[0], new=new)
