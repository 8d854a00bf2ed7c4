"""What the worker tells the people who watch: one definition for sender, telemetry and live page.

An event is a plain map with the key ``event``. Nothing a result needs travels here: each is a snapshot that
may be lost. Unknown keys are ignored; text is cut to a readable length.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    NonNegativeInt,
    TypeAdapter,
    ValidationError,
)

from streamlcn.errors import StreamLCNError

__all__ = [
    "PHASES",
    "BadEvent",
    "Beat",
    "Centre",
    "Count",
    "Event",
    "Ingest",
    "Lag",
    "Level",
    "Model",
    "Morphometry",
    "Ood",
    "Preview",
    "Read",
    "Request",
    "Result",
    "ScanPhase",
    "Stage",
    "Store",
    "Timed",
    "Warned",
    "parse_event",
]

PHASES = (
    "waiting", "acquiring", "reconstructing", "segmenting", "measuring", "writing",
    "complete", "partial", "failed",
)  # fmt: skip

_LONGEST_TEXT = 500
_LARGEST_PNG = 8 * 2**20
_PNG = b"\x89PNG\r\n\x1a\n"


class BadEvent(StreamLCNError, ValueError):
    """An event is not understood: count it, skip it. ``reason`` is 'unknown' or 'malformed'."""

    def __init__(self, reason: Literal["unknown", "malformed"], text: str) -> None:
        super().__init__(text)
        self.reason = reason


def _as_text(value: object) -> object:
    """Give what a document said as text that fits on a page."""
    return value if value is None else str(value)[:_LONGEST_TEXT]


def _as_png(value: object) -> object:
    if not isinstance(value, bytes) or not value.startswith(_PNG) or len(value) > _LARGEST_PNG:
        raise ValueError("a preview is a PNG of at most 8 MiB")
    return value


Text: TypeAlias = Annotated[str, BeforeValidator(_as_text)]
Png: TypeAlias = Annotated[bytes, BeforeValidator(_as_png)]
Phase: TypeAlias = Literal[
    "waiting", "acquiring", "reconstructing", "segmenting", "measuring", "writing",
    "complete", "partial", "failed",
]  # fmt: skip


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ScanPhase(_Event):
    """Where a scan is."""

    event: Literal["scan"] = "scan"
    uid: Text
    phase: Phase
    received: NonNegativeInt = 0
    expected: NonNegativeInt | None = None
    missing: NonNegativeInt = 0
    started_s: float | None = None
    sample: Text | None = None
    plan: Text | None = None


class Preview(_Event):
    """One slice as a picture."""

    event: Literal["preview"] = "preview"
    plane: Literal["xy", "xz", "yz"]
    kind: Literal["reconstruction", "labels"]
    png: Png = Field(repr=False)
    provisional: bool
    z: int | None = None
    received: NonNegativeInt | None = None


class Centre(_Event):
    """The centre of rotation as it stands."""

    event: Literal["centre"] = "centre"
    pixels: float | None
    stderr_pixels: float | None = None
    state: Literal["provisional", "final"] = "provisional"


class Morphometry(_Event):
    """Numbers, nested as in a result's metadata, and between what bounds the porosity can be believed."""

    event: Literal["morphometry"] = "morphometry"
    provisional: bool
    values: dict[str, Any]
    porosity_low: float | None = None
    porosity_high: float | None = None


class Model(_Event):
    """The network that is loaded."""

    event: Literal["model"] = "model"
    name: Text
    sha256: Text = ""


class Ood(_Event):
    """How unlike its training data a volume is."""

    event: Literal["ood"] = "ood"
    score: float | None
    flag: bool


class Result(_Event):
    """A result can be read."""

    event: Literal["result"] = "result"
    uid: Text
    recipe_hash: Text = ""
    status: Literal["complete", "partial", "failed"]
    uri: Text | None = None
    porosity: float | None = None
    completeness: float | None = None
    seconds_after_last_projection: float | None = None
    flags: list[Text] = Field(default_factory=list, max_length=200)


class Warned(_Event):
    """One line for operators; ``runbook`` names a section of the runbook."""

    event: Literal["warning"] = "warning"
    level: Literal["info", "warning", "error"] = "warning"
    text: Text
    runbook: Annotated[str, Field(pattern=r"^[a-z0-9-]*$", max_length=60)] = ""
    uid: Text | None = None


class Stage(_Event):
    """How much waits before a stage."""

    event: Literal["stage"] = "stage"
    stage: Text
    queue: NonNegativeInt = 0


class Count(_Event):
    """Add to a counter of the catalogue."""

    event: Literal["count"] = "count"
    what: str
    amount: float = 1.0
    labels: dict[str, str] = Field(default_factory=dict)


class Level(_Event):
    """Set a gauge of the catalogue."""

    event: Literal["level"] = "level"
    what: str
    value: float
    labels: dict[str, str] = Field(default_factory=dict)


class Timed(_Event):
    """A stage ended."""

    event: Literal["timed"] = "timed"
    stage: Text
    seconds: Annotated[float, Field(ge=0)]


class Beat(_Event):
    """A stage began or still goes on; ``share`` of its present work is done, where that is known."""

    event: Literal["beat"] = "beat"
    stage: Text
    share: Annotated[float, Field(ge=0, le=1)] | None = None


class Ingest(_Event):
    """The receiving side."""

    event: Literal["ingest"] = "ingest"
    connected: bool
    documents: NonNegativeInt = 0
    rejected: NonNegativeInt = 0
    dropped: NonNegativeInt = 0
    last_document_s: float | None = None
    journal_bytes: NonNegativeInt = 0


class Read(_Event):
    """The place in the journal behind the document that the worker has taken in hand."""

    event: Literal["read"] = "read"
    segment: NonNegativeInt
    offset: NonNegativeInt


class Lag(_Event):
    """How far the worker is behind what has come: documents in the journal that it has not read."""

    event: Literal["lag"] = "lag"
    documents: NonNegativeInt
    seconds: Annotated[float, Field(ge=0)]


class Request(_Event):
    """One request to tiled has ended."""

    event: Literal["request"] = "request"
    outcome: Literal["ok", "refused", "failed"]
    seconds: Annotated[float, Field(ge=0)]


class Store(_Event):
    """Results that wait for tiled."""

    event: Literal["store"] = "store"
    spooled: NonNegativeInt = 0
    spooled_bytes: NonNegativeInt = 0
    degraded: bool = False


Event: TypeAlias = (
    ScanPhase | Preview | Centre | Morphometry | Model | Ood | Result | Warned
    | Stage | Count | Level | Timed | Beat | Ingest | Read | Lag | Request | Store
)  # fmt: skip

_ADAPTER: TypeAdapter[Event] = TypeAdapter(Annotated[Event, Field(discriminator="event")])
_TYPES = (
    ScanPhase, Preview, Centre, Morphometry, Model, Ood, Result, Warned,
    Stage, Count, Level, Timed, Beat, Ingest, Read, Lag, Request, Store,
)  # fmt: skip
_KNOWN = frozenset(kind.model_fields["event"].default for kind in _TYPES)


def parse_event(raw: Mapping[str, Any] | Event) -> Event:
    """Return ``raw`` as a typed event; raises `BadEvent` for what is unknown or malformed."""
    if isinstance(raw, _TYPES):
        return raw
    if not isinstance(raw, Mapping):
        raise BadEvent("malformed", f"an event is a map, not {type(raw).__name__}")
    kind = raw.get("event")
    if not isinstance(kind, str) or kind not in _KNOWN:
        raise BadEvent("unknown", f"event {str(kind)[:60]!r} is not one of {', '.join(sorted(_KNOWN))}")
    try:
        return _ADAPTER.validate_python(dict(raw))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise BadEvent("malformed", f"event {kind!r}: {where}: {first['msg']}") from None
