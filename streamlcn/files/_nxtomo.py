"""NXtomo files (https://manual.nexusformat.org/classes/applications/NXtomo.html)."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from streamlcn.errors import BadInput
from streamlcn.files._scan_file import ScanFile, checked_angles, checked_frames, require_references
from streamlcn.files._stack import FrameStack
from streamlcn.files._units import ANGLES, ENERGIES, LENGTHS, quantity, unit_of
from streamlcn.model import FrameKind

__all__ = ["find_nxtomo", "open_nxtomo"]

_INVALID = 3  # NXtomo's image key for frames to leave out
_DETECTOR = "instrument/detector"


def find_nxtomo(file: h5py.File) -> h5py.Group | None:
    """Return the first entry that has frames with image keys, at most one level below the root's groups."""
    for name in file:
        group = file.get(name)
        if not isinstance(group, h5py.Group):
            continue
        inner = (group.get(key) for key in group)
        for entry in (group, *(child for child in inner if isinstance(child, h5py.Group))):
            if f"{_DETECTOR}/image_key" in entry:
                return entry
    return None


def open_nxtomo(entry: h5py.Group, *, is_line_integral: bool) -> ScanFile:
    """Return the scan in ``entry``; raises `BadInput`."""
    frames = checked_frames(entry.file, f"{entry.name}/{_DETECTOR}/data")
    keys = _image_keys(entry, len(frames))
    stacks = {kind: FrameStack(frames, np.flatnonzero(keys == kind)) for kind in FrameKind}
    projections, flats, darks = (stacks[kind] for kind in FrameKind)
    if len(projections) == 0:
        raise BadInput(f"{frames.file.filename}:{frames.name} has no projections (image_key 0)")
    require_references(entry.file.filename, len(flats), len(darks), is_line_integral=is_line_integral)
    sizes = (quantity(entry, path, LENGTHS) for path in (f"{_DETECTOR}/x_pixel_size", "sample/x_pixel_size"))
    energies = (
        quantity(entry, path, ENERGIES)
        for path in ("beam/incident_energy", "instrument/beam/incident_energy")
    )
    return ScanFile(
        path=Path(entry.file.filename),
        format="nxtomo",
        projections=projections,
        flats=flats,
        darks=darks,
        angles_rad=_angles(entry, projections.indices, len(frames)),
        voxel_size_um=next((size for size in sizes if size is not None), None),
        energy_kev=next((energy for energy in energies if energy is not None), None),
        phase_shift_rad=quantity(entry, "instrument/phase_plate/shift_rad", ANGLES),
        is_line_integral=is_line_integral,
        on_close=entry.file.close,
    )


def _image_keys(entry: h5py.Group, count: int) -> npt.NDArray[np.int64]:
    where = f"{entry.file.filename}:{entry.name}/{_DETECTOR}/image_key"
    keys = np.asarray(entry[f"{_DETECTOR}/image_key"][()]).ravel()
    if len(keys) != count:
        raise BadInput(f"{where} has {len(keys)} keys for {count} frames: one key per frame is needed")
    unknown = set(keys.tolist()) - {*FrameKind, _INVALID}
    if unknown:
        raise BadInput(
            f"{where} has unknown values {sorted(unknown)}; 0 is projection, 1 flat, 2 dark, 3 left out"
        )
    return keys.astype(np.int64)


def _angles(entry: h5py.Group, projections: npt.NDArray[np.intp], count: int) -> npt.NDArray[np.float64]:
    paths = ("sample/rotation_angle", "data/rotation_angle")
    dataset = next((entry[path] for path in paths if path in entry), None)
    where = f"{entry.file.filename}:{entry.name}/sample/rotation_angle"
    if not isinstance(dataset, h5py.Dataset):
        raise BadInput(f"{where} is missing: add the angle of each frame")
    unit = unit_of(dataset)
    if unit is None or unit.lower() not in ANGLES:
        raise BadInput(f"{where} has units {unit!r}; give one of {', '.join(ANGLES)}")
    angles = np.asarray(dataset[()], np.float64).ravel() * ANGLES[unit.lower()]
    if angles.size != count:
        checked_angles(angles, count, where)
    return checked_angles(angles[projections], len(projections), where)
