"""Play a raw run that is stored in tiled, as `bluesky_tiled_plugins.TiledWriter` writes runs."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt

from simulators.scan_files import StoredScan
from simulators.scene import Role, Scene
from simulators.stored import Overrides, stored_scene
from simulators.tiled_run import TiledStream, read_streams, segments_in_time

_FACTS = ("pixel_size_um", "energy_kev", "phase_shift_rad", "beamline", "sample_name")


def tiled_scene(uri: str, uid: str, said: Overrides, *, api_key: str | None = None) -> Scene:
    """Return the scene that plays run ``uid`` of the catalogue at ``uri``.

    Raises
    ------
    ValueError
        The server cannot be reached, has no such run, or the run cannot be played.
    """
    os.environ.setdefault("TILED_RETRY_ATTEMPTS", "3")  # read at import; by default a dead server takes 25 s
    from tiled.client import from_uri

    try:
        catalogue = from_uri(uri, api_key=api_key)
    except Exception as failure:
        raise ValueError(f"cannot read the tiled catalogue at {uri}: {failure}") from failure
    try:
        return run_scene(catalogue, uid, said)
    finally:
        catalogue.context.http_client.close()


def run_scene(catalogue: Any, uid: str, said: Overrides) -> Scene:
    """Return the scene that plays run ``uid`` of a tiled container; raises ValueError as `tiled_scene`."""
    run = _run(catalogue, uid)
    start = run.metadata["start"]
    streams = read_streams(run)
    if "current_dark_flat_scan_uid" in start:
        references = read_streams(_run(catalogue, start["current_dark_flat_scan_uid"]))
        streams = [stream for stream in references if stream.role != "projection"] + streams
    roles: tuple[Role, ...] = ("dark", "flat", "projection")
    frames = {role: _frames(streams, role) for role in roles}
    projections = [stream for stream in streams if stream.role == "projection"]
    if not len(frames["projection"]):
        raise ValueError(f"run {uid} has no projections (streams: {', '.join(run)})")
    if any(stream.angles_rad is None for stream in projections):
        raise ValueError(f"run {uid} does not tell the angles of its projections")
    scan = StoredScan(
        name=f"run {uid}",
        segments=segments_in_time(streams),
        frames={role: [(role, n) for n in range(len(found))] for role, found in frames.items() if len(found)},
        frame_shape=frames["projection"].shape[1:],
        dtype=frames["projection"].dtype,
        facts={"stored_scan": uid, **{key: start[key] for key in _FACTS if key in start}},
    )
    if start.get("frames_are_line_integrals"):
        said = Overrides(**{**vars(said), "is_line_integral": True})
    return stored_scene(scan, lambda role, number: frames[role][number], said)


def _run(catalogue: Any, uid: str) -> Any:
    try:
        return catalogue[uid]
    except KeyError:
        raise ValueError(f"there is no run {uid} in {catalogue}") from None


def _frames(streams: list[TiledStream], role: Role) -> npt.NDArray[Any]:
    found = [stream.pixels for stream in streams if stream.role == role]
    return np.concatenate(found) if found else np.empty((0, 0, 0))
