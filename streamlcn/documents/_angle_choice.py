"""Which of the profile's sources of angles a run has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from streamlcn.documents._angles import (
    Angles,
    EventAngles,
    FileAngles,
    ListedAngles,
    MonitorAngles,
    ReadValues,
    numbers,
)
from streamlcn.documents._facts import Facts, as_number, is_flat
from streamlcn.documents._streams import external_of
from streamlcn.documents.settings import (
    AngleSource,
    EventAngle,
    LinspaceAngle,
    MonitorAngle,
    PlannedAngle,
    StreamAngle,
)
from streamlcn.errors import BadDocument, FailedScan

__all__ = ["choose_angles"]


def choose_angles(
    sources: Sequence[AngleSource],
    facts: Facts,
    count: int | None,
    data_keys: Mapping[str, Any] | None,
    read_values: ReadValues | None,
) -> Angles | None:
    """Return the angles of the first source that the run has.

    Before the projections' descriptor came (``data_keys`` None) the answer may be None: not known yet.
    Raises `FailedScan` where no source fits, and where a list of angles does not fit the projections.
    """
    for source in sources:
        if isinstance(source, EventAngle | StreamAngle) and data_keys is None:
            return None
        found = _angles_of(source, facts, count, data_keys or {}, read_values)
        if found is not None:
            return found
    looked_for = ", ".join(_described(source) for source in sources)
    raise FailedScan(f"the run has no angles: looked for {looked_for}; check documents.angles")


def _angles_of(
    source: AngleSource,
    facts: Facts,
    count: int | None,
    data_keys: Mapping[str, Any],
    read_values: ReadValues | None,
) -> Angles | None:
    match source:
        case PlannedAngle():
            values = facts.find(source.path)
            return None if values is None else _planned(source, values, count)
        case LinspaceAngle():
            return _linspace(source, facts, count)
        case MonitorAngle():
            return MonitorAngles(source)
        case EventAngle():
            return EventAngles(source) if _is_there(source.key, data_keys, external=False) else None
        case StreamAngle():
            is_there = _is_there(source.key, data_keys, external=True)
            return FileAngles(source, read_values) if is_there else None


def _planned(source: PlannedAngle, values: Any, count: int | None) -> Angles:
    if not is_flat(values):
        raise FailedScan(f"{source.path} should be a list of angles")
    if count is not None and len(values) != count:
        raise FailedScan(
            f"{source.path} has {len(values)} angles but {count} projections are planned: the plan's "
            "metadata contradict themselves; if events tell the angles, put them first in documents.angles"
        )
    try:
        return ListedAngles(source, numbers(values, len(values), source.path), source.path)
    except BadDocument as error:
        raise FailedScan(str(error)) from error


def _is_there(key: str, data_keys: Mapping[str, Any], *, external: bool) -> bool:
    return key in data_keys and bool(external_of(data_keys[key])) == external


def _linspace(source: LinspaceAngle, facts: Facts, count: int | None) -> Angles | None:
    def said(place: str | float | None) -> float | None:
        return as_number(facts.find(place)) if isinstance(place, str) else place

    start, stop, span = said(source.start), said(source.stop), said(source.range)
    if start is None or (stop is None and span is None):
        return None
    if count is None:
        raise FailedScan(
            "angles are evenly spaced, but nothing says how many projections there will be: "
            "set documents.values.projection_count"
        )
    last = stop if stop is not None else start + (span or 0.0)
    values = np.linspace(start, last, count, endpoint=source.endpoint)
    return ListedAngles(source, values.tolist(), "the plan")


def _described(source: AngleSource) -> str:
    match source:
        case PlannedAngle():
            return f"a list at {source.path}"
        case LinspaceAngle():
            return "start and stop of evenly spaced ones"
        case MonitorAngle():
            return f"monitor {source.stream}"
        case _:
            return f"{source.kind} key {source.key}"
