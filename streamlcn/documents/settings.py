"""What a profile can say about documents: receiving, keeping and understanding them. Light: values only.

A *path* is dotted text: ``start.plan_args.num`` (start document; a number picks from a list),
``configuration.camera.camera-pixel_size`` (a descriptor's configuration: object, then key) or
``baseline.zone_plate-z`` (a key of the first event of the baseline stream).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from streamlcn.settings import Settings

__all__ = [
    "AngleSource",
    "BackfillSettings",
    "CurveSettings",
    "DecodeLimits",
    "DocumentSettings",
    "EventAngle",
    "FileSettings",
    "JournalSettings",
    "LinspaceAngle",
    "MonitorAngle",
    "PlannedAngle",
    "ReceiveSettings",
    "ReferenceSettings",
    "RunSettings",
    "StreamAngle",
    "StreamNames",
    "Value",
    "Values",
]

_MIB = 2**20


def _as_tuple(value: Any) -> Any:
    """Let one value stand for a list of one, as people write it in YAML."""
    return value if isinstance(value, list | tuple) else (value,)


_PATH = r"^(start|configuration|baseline)\.[^.]+(\.[^.]+)*$"


def _as_path(text: str) -> str:
    if not re.match(_PATH, text):
        raise ValueError("should be dotted text that begins with start., configuration. or baseline.")
    return text


Scalar: TypeAlias = str | int | float | bool
OneOrMore: TypeAlias = Annotated[
    tuple[Scalar, ...], BeforeValidator(_as_tuple, json_schema_input_type=Scalar | tuple[Scalar, ...])
]
Names: TypeAlias = Annotated[
    tuple[str, ...], BeforeValidator(_as_tuple, json_schema_input_type=str | tuple[str, ...])
]
Path_: TypeAlias = Annotated[
    str, AfterValidator(_as_path), WithJsonSchema({"type": "string", "pattern": _PATH})
]
Paths: TypeAlias = Annotated[
    tuple[Path_, ...], BeforeValidator(_as_tuple, json_schema_input_type=Path_ | tuple[Path_, ...])
]
Match: TypeAlias = dict[str, OneOrMore]


class DecodeLimits(Settings):
    """How much one message may ask for."""

    message_bytes: int = Field(512 * _MIB, gt=0, description="largest message, also for the 0MQ socket")
    pickle_opcodes: int = Field(200_000, gt=0, description="most operations in a pickled document")
    values: int = Field(5_000_000, gt=0, description="most values in a document, arrays counting as one")


class CurveSettings(Settings):
    """Keys of a proxy whose out side is secured by CURVE, as files that pyzmq's ``zmq.auth`` writes.

    The keys themselves never stand in a profile.
    """

    server_key_file: Path = Field(description="the proxy's public key (server.key)")
    client_key_file: Path = Field(
        description="our own pair of keys (client.key_secret); readable by the daemon alone"
    )


class ReceiveSettings(Settings):
    """The 0MQ subscriber."""

    curve: CurveSettings | None = Field(
        None, description="keys, where the proxy's out side is secured; without, documents come in the clear"
    )
    limits: DecodeLimits = Field(default_factory=DecodeLimits)
    queue_bytes: int = Field(
        1024 * _MIB, gt=0, description="most bytes received and not yet taken; then `overflow` applies"
    )
    overflow: Literal["block", "drop"] = Field(
        "block",
        description="block: stop reading, so that 0MQ's own buffers fill; drop: lose the newest, counted",
    )
    receive_hwm: int = Field(
        10_000, ge=0, description="messages that libzmq itself may hold for us; 0 means any number"
    )
    heartbeat_s: float = Field(5.0, gt=0, description="time between two heartbeats to the proxy")
    heartbeat_timeout_s: float = Field(
        15.0, gt=0, description="silence after which the connection is renewed"
    )


class JournalSettings(Settings):
    """The documents on disk."""

    segment_mb: float = Field(256.0, gt=0, description="a new file is begun when the last one is this large")
    fsync: Literal["always", "interval", "never"] = Field(
        "interval",
        description="when the disk must have it: after each document, every `fsync_interval_s`, or when the "
        "system likes. Only a power failure makes a difference; killed processes lose nothing",
    )
    fsync_interval_s: float = Field(1.0, gt=0, description="longest time without fsync, with 'interval'")
    keep_gb: float = Field(
        100.0, gt=0, description="passed segments are deleted, oldest first, while there is more than this"
    )
    keep_days: float = Field(14.0, gt=0, description="passed segments older than this are deleted")
    min_free_gb: float = Field(
        2.0,
        ge=0,
        description="less free space than this is announced as nearly full, and passed segments are deleted "
        "at once",
    )


class RunSettings(Settings):
    """Which runs are tomography. A run matches when each named start key has one of the values.

    Keys may be dotted; texts may have wildcards (``tomo_*``).
    """

    scan: Match = Field(
        default={"scan_type": ("tomography",)}, min_length=1, description="runs that hold projections"
    )
    references: Match | None = Field(
        None, description="runs that hold only darks and flats, for other runs to use"
    )


class StreamNames(Settings):
    """Streams by what their frames show; several names where plans differ or take flats twice."""

    projection: Names = Field(("primary",), min_length=1, description="streams of projections")
    flat: Names = Field(("flat",), description="streams of flats")
    dark: Names = Field(("dark",), description="streams of darks")
    baseline: str = Field("baseline", description="stream read before and after a scan")


class _Angle(Settings):
    unit: Literal["rad", "deg"] = Field("deg", description="unit after scale and offset")
    scale: float = Field(1.0, description="angle = scale x value + offset")
    offset: float = Field(0.0, description="added after scaling, in the same unit")


class PlannedAngle(_Angle):
    """A list in the start document, one angle for each projection."""

    kind: Literal["planned"] = "planned"
    path: Path_ = Field("start.angles_rad", description="where the list is")
    unit: Literal["rad", "deg"] = Field("rad", description="unit after scale and offset")


class LinspaceAngle(_Angle):
    """Evenly spaced from start to stop: values at paths, or numbers.

    Give ``stop`` or ``range`` (stop minus start). The count is the planned number of projections.
    """

    kind: Literal["linspace"] = "linspace"
    start: Path_ | float = Field(0.0, description="first angle")
    stop: Path_ | float | None = Field(None, description="last angle")
    range: Path_ | float | None = Field(None, description="last angle minus first")
    endpoint: bool = Field(default=True, description="whether a projection is taken at the last angle itself")

    @model_validator(mode="after")
    def _has_one_end(self) -> Self:
        if (self.stop is None) == (self.range is None):
            raise ValueError("give one of stop and range")
        return self


class EventAngle(_Angle):
    """A key of the projections' own events; with n frames in an event, n values."""

    kind: Literal["event"] = "event"
    key: str = Field("rotation", description="data key")


class StreamAngle(_Angle):
    """A key of the projections' stream whose values are in a file, as an encoder box writes them."""

    kind: Literal["stream"] = "stream"
    key: str = Field("Angle", description="data key")


class MonitorAngle(_Angle):
    """A monitored motor, interpolated at the time of each frame. After its last change a motor stays."""

    kind: Literal["monitor"] = "monitor"
    stream: str = Field(description="the monitor's stream, such as zps_pi_r_monitor")
    key: str = Field(description="data key of the motor")
    times_key: str | None = Field(
        None,
        description="data key of the projections' events with the time of each frame; without, the "
        "timestamp of the image",
    )


AngleSource: TypeAlias = Annotated[
    PlannedAngle | LinspaceAngle | EventAngle | StreamAngle | MonitorAngle, Field(discriminator="kind")
]


class Value(Settings):
    """A number that documents may hold: the first path that has it counts."""

    paths: Paths = Field((), description="where to look, in order; not given: where the default looks")
    scale: float = Field(1.0, description="factor from the document's unit to ours")
    fallback: float | None = Field(
        None, description="used where no path has it; results then record it as an assumption"
    )


def _value(path: str, description: str) -> Any:
    return Field(default=Value(paths=(path,)), description=description)


class Values(Settings):
    """Where the numbers of a scan are. Only the pixel size is required."""

    pixel_size_um: Value = _value("start.pixel_size_um", "pixel at the sample, which is the voxel")
    energy_kev: Value = _value("start.energy_kev", "photon energy")
    centre_of_rotation_px: Value = _value(
        "start.rotation_axis_px", "axis of rotation, 0.0 at the centre of column 0; seldom said, else found"
    )
    phase_shift_rad: Value = _value(
        "start.phase_shift_rad", "of the phase plate; negative: bone is bright; nowhere: absorption contrast"
    )
    is_line_integral: Value = _value(
        "start.frames_are_line_integrals", "whether frames are -log(transmission) already"
    )
    projection_count: Value = _value("start.projection_count", "planned projections")
    flat_count: Value = _value("start.flat_count", "planned flats")
    dark_count: Value = _value("start.dark_count", "planned darks")
    detector_shape: Paths = Field(
        ("start.detector_shape",), description="where [rows, columns] are; else the first frame tells"
    )

    @model_validator(mode="before")
    @classmethod
    def _keep_paths(cls, values: Any) -> Any:
        """Let a fallback alone add to the default: what the documents say still comes first."""
        if not isinstance(values, dict):
            return values
        return {
            key: {"paths": cls.model_fields[key].default.paths, **value}
            if isinstance(value, dict)
            and isinstance(getattr(cls.model_fields.get(key), "default", None), Value)
            else value
            for key, value in values.items()
        }


class ReferenceSettings(Settings):
    """Which flats and darks go with a scan, and when they are all there."""

    sources: tuple[Literal["same_run", "linked", "previous"], ...] = Field(
        ("same_run",),
        min_length=1,
        description="where to look, in order. same_run: streams of the scan's own run; linked: the run whose "
        "uid is at `uid_path`; previous: the last run that held darks and flats",
    )
    uid_path: Path_ = Field(
        "start.current_dark_flat_scan_uid", description="where a scan names its run of darks and flats"
    )
    flats: Literal["before", "after", "both"] = Field(
        "before",
        description="when a plan takes them, for scans that do not say how many: 'before' makes the "
        "reference at the first projection, the others at the end",
    )
    needs_darks: bool = Field(default=True, description="whether a scan without darks has no reference")
    wait_s: float = Field(
        10.0,
        ge=0,
        description="flats taken before: time after the first projection to wait for flats that were lost",
    )
    keep_runs: int = Field(4, ge=1, le=100, description="runs of darks and flats that are remembered")


class FileSettings(Settings):
    """Detector files that documents point to."""

    allowed_roots: tuple[Path, ...] = Field(
        (), description="folders below which such files may be; elsewhere a scan is refused"
    )
    root_map: dict[str, str] = Field(
        default_factory=dict, description="folders as the detector names them: folders as they are here"
    )
    resource_datasets: dict[str, str] = Field(
        default={"AD_HDF5": "/entry/data/data"}, description="dataset for each spec of a resource document"
    )


class BackfillSettings(Settings):
    """Where documents are had again that were lost on the way."""

    from_files: bool = Field(
        default=True,
        description="place frames whose documents were lost by the detector's file, where counting leaves "
        "but one place for them",
    )
    uri: str | None = Field(
        None,
        description="tiled container that holds the raw runs as bluesky's TiledWriter writes them, such as "
        "http://localhost:8000 or http://localhost:8000/api/v1/metadata/raw; without one, only files help",
    )
    api_key_env: str = Field(
        "STREAMLCN_RAW_API_KEY", description="environment variable that holds the API key of that server"
    )
    api_key_file: Path | None = Field(
        None, description="file that holds the API key; looked at when the variable is not set"
    )
    timeout_s: float = Field(10.0, gt=0, description="longest time one request may take")
    retry_s: float = Field(3.0, gt=0, description="time until tiled is asked again for the same run")
    wait_s: float = Field(
        60.0,
        ge=0,
        description="a run that has stopped and lacks documents is not ended before tiled was asked, but "
        "after `settle_s` and so long at most; flats that are lost are waited for as long",
    )


class DocumentSettings(Settings):
    """How a beamline's documents read. The defaults fit a plan that says everything in its start document."""

    runs: RunSettings = Field(default_factory=RunSettings)
    streams: StreamNames = Field(default_factory=StreamNames)
    detector: Paths = Field(
        ("start.detector", "start.detectors.0"), description="where the detector's name is"
    )
    image_keys: Names = Field(
        ("{detector}_image", "{detector}"),
        min_length=1,
        description="data key of the pixels, the first that a stream has; {detector} is the detector's name",
    )
    angles: tuple[AngleSource, ...] = Field(
        (PlannedAngle(), EventAngle()), min_length=1, description="where angles are, the first that a run has"
    )
    values: Values = Field(default_factory=Values)
    references: ReferenceSettings = Field(default_factory=ReferenceSettings)
    files: FileSettings = Field(default_factory=FileSettings)
    backfill: BackfillSettings = Field(default_factory=BackfillSettings)
    idle_timeout_s: float = Field(
        300.0, gt=0, description="a run without documents for so long has ended, without its stop document"
    )
    settle_s: float = Field(
        2.0, ge=0, description="time after the stop document to wait for documents that it says were sent"
    )
    orphan_count: int = Field(10_000, ge=0, description="documents kept whose run or stream is not known yet")
    orphan_mb: float = Field(512.0, ge=0, description="the same, in bytes of pixels")
