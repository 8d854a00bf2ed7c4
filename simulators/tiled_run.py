"""What a raw run in tiled holds: its frames in the order they were taken, each with its role and angle."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from simulators.frame_file import DATASET, TIMESTAMPS
from simulators.scene import Role, Segment

ROLES: dict[str, Role] = {
    "dark": "dark",
    "darks": "dark",
    "flat": "flat",
    "flats": "flat",
    "primary": "projection",
    "tomo": "projection",
}
"""Streams that hold frames, and of what."""


@dataclass(frozen=True, kw_only=True)
class TiledStream:
    """Frames of one stream: ``pixels`` (frame, row, column) and when each was taken."""

    role: Role
    pixels: npt.NDArray[Any]
    taken_s: npt.NDArray[np.float64]
    angles_rad: tuple[float, ...] | None


@dataclass(frozen=True, kw_only=True)
class _Stream:
    """One stream as tiled has it; ``events`` is how many it has by the run's own count."""

    name: str
    node: Any
    image_key: str
    frames_per_event: int
    events: int
    begun_s: float

    @property
    def frame_count(self) -> int:
        return self.events * self.frames_per_event

    def event_times_s(self) -> npt.NDArray[np.float64]:
        """Return when each frame's event was; the stream's beginning where a fly scan left no events."""
        times = column(self.node, "time")
        if times is None or len(times) != self.events:
            return np.full(self.frame_count, self.begun_s)
        return np.repeat(times, self.frames_per_event)


def read_streams(run: Any) -> list[TiledStream]:
    """Read all frames of a run.

    A detector's one file over several streams is filed wrongly by tiled's writer: all frames under the first
    stream, or unreadable under each. Then the file's frames are shared out among the streams by time.

    Raises
    ------
    ValueError
        Frames are missing; the message says how many and where.
    """
    streams = list(_frame_streams(run))
    own = [_own_pixels(stream) for stream in streams]
    if any(pixels is None for pixels in own):
        own = list(_shared_out(run, streams))
    return [
        TiledStream(
            role=ROLES[stream.name],
            pixels=pixels,
            taken_s=stream.event_times_s(),
            angles_rad=_angles(run, stream) if ROLES[stream.name] == "projection" else None,
        )
        for stream, pixels in zip(streams, own, strict=True)
        if pixels is not None
    ]


def segments_in_time(streams: list[TiledStream]) -> tuple[Segment, ...]:
    """Return the segments in which the frames of all streams were taken."""
    frames = sorted(
        (float(taken), place, stream.role, 0.0 if stream.angles_rad is None else stream.angles_rad[number])
        for place, stream in enumerate(streams)
        for number, taken in enumerate(stream.taken_s)
    )
    blocks = groupby(frames, key=lambda frame: frame[2])
    return tuple(Segment(role=role, angles_rad=tuple(frame[3] for frame in block)) for role, block in blocks)


def column(node: Any, key: str) -> npt.NDArray[np.float64] | None:
    """Return a column of a stream's events, or None when it has none of that name."""
    return np.asarray(node[key].read(), np.float64) if key in _keys(node) else None


def _keys(node: Any) -> set[str]:
    return set(node)


def _frame_streams(run: Any) -> Iterator[_Stream]:
    counted = (run.metadata.get("stop") or {}).get("num_events") or {}
    for name in ROLES:
        if name not in _keys(run):
            continue
        node = run[name]
        data_keys: Mapping[str, Any] = node.metadata["data_keys"]
        images = [key for key, data_key in data_keys.items() if len(data_key["shape"]) >= 2]
        if len(images) != 1:
            raise ValueError(f"stream {name} has {len(images)} keys with images; one is needed")
        shape = data_keys[images[0]]["shape"]
        times = column(node, "time")
        events = counted.get(name, 0 if times is None else len(times))
        yield _Stream(
            name=name,
            node=node,
            image_key=images[0],
            frames_per_event=int(np.prod(shape[:-2])),
            events=int(events),
            begun_s=float(node.metadata["time"]),
        )


def _own_pixels(stream: _Stream) -> npt.NDArray[Any] | None:
    """Return the stream's frames if tiled filed just these under it."""
    if stream.image_key not in _keys(stream.node):
        return None
    array = stream.node[stream.image_key]
    if int(np.prod(array.shape[:-2])) != stream.frame_count or _is_misfiled(array):
        return None
    pixels: npt.NDArray[Any] = array.read()
    return pixels.reshape(-1, *pixels.shape[-2:])


def _is_misfiled(array: Any) -> bool:
    """Tell whether tiled refuses to read the array because its file holds other streams' frames as well."""
    from tiled.client.utils import ClientError

    try:
        array[:1]
    except ClientError as refused:
        if refused.response.status_code == 422:
            return True
        raise
    return False


def _shared_out(run: Any, streams: list[_Stream]) -> Iterator[npt.NDArray[Any]]:
    """Share the frames of the detector's one file out among the streams, in the order of their events."""
    held = next(stream for stream in streams if stream.image_key in _keys(stream.node))
    frames, _ = read_asset(held.node[held.image_key])
    wanted = sum(stream.frame_count for stream in streams)
    if len(frames) != wanted:
        uid = run.metadata["start"]["uid"]
        raise ValueError(f"run {uid} has {wanted} frames by its events, but its file holds {len(frames)}")
    times = np.concatenate([stream.event_times_s() for stream in streams])
    owner = np.repeat(np.arange(len(streams)), [stream.frame_count for stream in streams])
    in_file = owner[np.argsort(times, kind="stable")]
    for place in range(len(streams)):
        yield frames[in_file == place]


def read_asset(array: Any) -> tuple[npt.NDArray[Any], npt.NDArray[np.float64]]:
    """Download the HDF5 file behind an array; returns its frames and when each was taken."""
    files: dict[str, io.BytesIO] = {}
    array.raw_export(files)
    with h5py.File(next(iter(files.values())), "r") as file:
        return file[DATASET][()], file[TIMESTAMPS][()]


def _angles(run: Any, stream: _Stream) -> tuple[float, ...] | None:
    """Return the angles of the projections, from where this kind of plan has them; None if nowhere."""
    planned = run.metadata["start"].get("angles_rad")
    if planned is not None and len(planned) == stream.frame_count:
        return tuple(float(angle) for angle in planned)
    for key in ("Angle", "rotation", "theta"):
        degrees = column(stream.node, key)
        if degrees is not None and degrees.size == stream.frame_count:
            return tuple(np.deg2rad(degrees.ravel()).tolist())
    return _angles_by_monitor(run, stream)


def _angles_by_monitor(run: Any, stream: _Stream) -> tuple[float, ...] | None:
    monitor = next((name for name in run if name.endswith("_monitor")), None)
    taken = next((key for key in stream.node if key.endswith("_timestamps")), None)
    if monitor is None or taken is None:
        return None
    key = monitor.removesuffix("_monitor")
    at, degrees = column(run[monitor], f"ts_{key}"), column(run[monitor], key)
    if at is None or degrees is None:
        return None
    frames_at = np.asarray(stream.node[taken].read(), np.float64).ravel()
    return tuple(np.deg2rad(np.interp(frames_at, at, degrees)).tolist())
