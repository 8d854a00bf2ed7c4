"""What a descriptor means: which frames its stream holds, and how they come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from streamlcn.documents._facts import Facts, as_number
from streamlcn.documents.settings import DocumentSettings
from streamlcn.errors import FailedScan
from streamlcn.model import FrameKind

__all__ = ["Stream", "external_of", "kind_of_stream", "stream_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """One descriptor. ``rank`` is the place of its name among those that hold frames of ``kind``.

    ``per_event`` and ``frame_shape`` are what the data key says, None where it does not say;
    ``external`` is '' for pixels inside events.
    """

    name: str
    kind: FrameKind | None
    rank: int
    image_key: str
    per_event: int | None
    frame_shape: tuple[int, int] | None
    external: str
    data_keys: Mapping[str, Any]
    time_s: float | None = None


def kind_of_stream(name: str, settings: DocumentSettings) -> tuple[FrameKind | None, int]:
    """Return what frames a stream of this name holds, and its rank among such."""
    names = settings.streams
    for kind, known in (
        (FrameKind.PROJECTION, names.projection),
        (FrameKind.FLAT, names.flat),
        (FrameKind.DARK, names.dark),
    ):
        if name in known:
            return kind, known.index(name)
    return None, 0


def stream_of(
    descriptor: Mapping[str, Any], facts: Facts, settings: DocumentSettings, kinds: frozenset[FrameKind]
) -> Stream:
    """Return the stream of a descriptor; raises `FailedScan` when it should hold frames and cannot."""
    name, keys = descriptor["name"], descriptor["data_keys"]
    kind, rank = kind_of_stream(name, settings)
    kind = kind if kind in kinds else None
    image_key = "" if kind is None else _image_key(name, keys, facts, settings)
    shape = list(keys.get(image_key, {}).get("shape", ()))
    return Stream(
        name=name,
        kind=kind,
        rank=rank,
        image_key=image_key,
        per_event=1 if len(shape) == 2 else shape[0] or 1 if len(shape) == 3 else None,
        frame_shape=(shape[-2], shape[-1]) if len(shape) in (2, 3) and shape[-2] and shape[-1] else None,
        external=external_of(keys.get(image_key, {})),
        data_keys=keys,
        time_s=as_number(descriptor.get("time")),
    )


def external_of(data_key: Mapping[str, Any]) -> str:
    """Return what a data key says of where its values are; '' for values inside events."""
    said = data_key.get("external")
    return said if isinstance(said, str) else ""


def _image_key(name: str, keys: Mapping[str, Any], facts: Facts, settings: DocumentSettings) -> str:
    detector = facts.text(settings.detector)
    wanted = [
        template.replace("{detector}", detector or "")
        for template in settings.image_keys
        if detector or "{detector}" not in template
    ]
    for key in wanted:
        if key in keys:
            return key
    looked_for = ", ".join(wanted) or f"{', '.join(settings.image_keys)} without a detector's name"
    raise FailedScan(
        f"stream {name!r} has no pixels under {looked_for}; it has {', '.join(keys) or 'no keys'}: "
        "set documents.image_keys, or documents.detector to where its name is"
    )
