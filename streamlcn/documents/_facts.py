"""What the documents of one run say, found by path."""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

from streamlcn.documents.settings import DocumentSettings, LinspaceAngle, Match, Value

__all__ = ["Facts", "as_number", "is_flat", "is_match", "reads_baseline"]


class Facts:
    """The start document, configurations and baseline of a run."""

    def __init__(self, start: Mapping[str, Any]) -> None:
        self.start = start
        self._configuration: dict[str, dict[str, Any]] = {}
        self._baseline: dict[str, Any] = {}
        self._baseline_seq_nums: set[int] = set()

    def learn_configuration(self, descriptor: Mapping[str, Any]) -> None:
        """Remember what a descriptor says of its devices; what was said first stays."""
        found = descriptor.get("configuration")
        for device, said in found.items() if isinstance(found, dict) else ():
            if isinstance(said, dict) and isinstance(said.get("data"), dict):
                self._configuration[device] = said["data"] | self._configuration.get(device, {})

    def learn_baseline(self, seq_num: int, data: Mapping[str, Any]) -> None:
        """Remember an event of the baseline stream; the first event counts, whichever comes first."""
        if seq_num < min(self._baseline_seq_nums, default=math.inf):
            self._baseline = {**data}
        self._baseline_seq_nums.add(seq_num)

    @property
    def baseline_seq_nums(self) -> Set[int]:
        """The events of the baseline stream that came."""
        return self._baseline_seq_nums

    def find(self, path: str) -> Any:
        """Return what is at ``path``, or None."""
        root, *parts = path.split(".")
        if root == "start":
            return _walked(self.start, parts)
        if root == "baseline":
            return self._baseline.get(".".join(parts))
        return self._configuration.get(parts[0], {}).get(".".join(parts[1:]))

    def first(self, paths: tuple[str, ...]) -> Any:
        """Return what is at the first path that has anything, or None."""
        return next((found for path in paths if (found := self.find(path)) is not None), None)

    def number(self, value: Value) -> float | None:
        """Return the finite number at the first path that has one, scaled; without the fallback."""
        for path in value.paths:
            found = as_number(self.find(path))
            if found is not None:
                return found * value.scale
        return None

    def text(self, paths: tuple[str, ...]) -> str | None:
        """Return the text at the first path that has one."""
        return next((found for path in paths if isinstance(found := self.find(path), str) and found), None)


def as_number(found: Any) -> float | None:
    """Return ``found`` as one finite number, or None."""
    if is_flat(found) and len(found) == 1:
        found = found[0]
    elif isinstance(found, np.ndarray) and found.ndim == 0:
        found = found[()]
    if not isinstance(found, int | float | np.number | np.bool_) or isinstance(
        found, complex | np.complexfloating
    ):
        return None
    number = float(found)
    return number if math.isfinite(number) else None


def is_flat(found: Any) -> bool:
    """Return whether ``found`` is a list, tuple or array of one dimension.

    numpy's own `ndim` raises for lists of several lengths, which a document may well hold.
    """
    if isinstance(found, np.ndarray):
        return found.ndim == 1
    return isinstance(found, list | tuple) and not any(
        isinstance(part, list | tuple | np.ndarray) for part in found
    )


def reads_baseline(settings: DocumentSettings) -> bool:
    """Return whether any path of the profile leads into the baseline stream."""
    values = settings.values
    paths = [path for value in vars(values).values() if isinstance(value, Value) for path in value.paths]
    ends = [end for one in settings.angles if isinstance(one, LinspaceAngle)
            for end in (one.start, one.stop, one.range) if isinstance(end, str)]  # fmt: skip
    return any(path.startswith("baseline.") for path in (*paths, *ends, *values.detector_shape))


def is_match(start: Mapping[str, Any], match: Match) -> bool:
    """Return whether each key of ``match`` has one of its values in ``start``; texts may have wildcards."""
    return all(_is_one_of(_walked(start, key.split(".")), allowed) for key, allowed in match.items())


def _is_one_of(found: Any, allowed: tuple[str | int | float | bool, ...]) -> bool:
    if isinstance(found, str):
        return any(isinstance(one, str) and fnmatchcase(found, one) for one in allowed)
    return isinstance(found, int | float) and any(
        not isinstance(one, str) and found == one and isinstance(found, bool) == isinstance(one, bool)
        for one in allowed
    )


def _walked(found: Any, parts: list[str]) -> Any:
    for part in parts:
        if isinstance(found, Mapping):
            found = found.get(part)
        elif isinstance(found, list | tuple) and part.isdecimal() and int(part) < len(found):
            found = found[int(part)]
        else:
            return None
    return found
