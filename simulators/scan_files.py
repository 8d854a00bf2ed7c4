"""What is in a DXchange or NXtomo file, in the order in which it was taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from simulators.scene import Role, Segment

_ROLE_OF_KEY: dict[int, Role] = {0: "projection", 1: "flat", 2: "dark"}
_LEFT_OUT = 3
_UM = {"m": 1e6, "mm": 1e3, "um": 1.0, "µm": 1.0, "micron": 1.0, "microns": 1.0, "nm": 1e-3}
_KEV = {"ev": 1e-3, "kev": 1.0}
_RAD = {"deg": np.pi / 180, "degree": np.pi / 180, "degrees": np.pi / 180, "rad": 1.0, "radian": 1.0}

Place = tuple[str, int]
"""A dataset's path and the index of a frame in it."""


@dataclass(frozen=True, kw_only=True)
class StoredScan:
    """A scan taken earlier: ``frames`` says where each role's frames are, in the order they were taken."""

    name: str
    segments: tuple[Segment, ...]
    frames: Mapping[Role, Sequence[Place]]
    frame_shape: tuple[int, int]
    dtype: np.dtype[Any]
    facts: Mapping[str, Any]
    exposure_s: float = 1.0

    @property
    def counts(self) -> dict[Role, int]:
        """How many frames there are of each role."""
        return {role: len(places) for role, places in self.frames.items()}

    def angles_of(self, role: Role) -> tuple[float, ...]:
        """Return the angles of all frames of ``role``."""
        return tuple(angle for part in self.segments if part.role == role for angle in part.angles_rad)


def read_scan_file(path: Path) -> StoredScan:
    """Read what there is to know of the scan in an HDF5 file, without its pixels.

    Raises
    ------
    ValueError
        It is no HDF5 file, has neither layout, or lacks projections or angles; the message says which.
    """
    try:
        file = h5py.File(path, "r")
    except OSError as unreadable:
        raise ValueError(f"cannot read {path}: {unreadable}") from unreadable
    with file:
        if "exchange/data" in file:
            return _dxchange(path, file)
        for entry in file.values():
            if isinstance(entry, h5py.Group) and "instrument/detector/image_key" in entry:
                return _nxtomo(path, entry)
    raise ValueError(f"{path} is neither DXchange (exchange/data) nor NXtomo (instrument/detector/image_key)")


def _dxchange(path: Path, file: h5py.File) -> StoredScan:
    data = file["exchange/data"]
    if "exchange/theta" not in file:
        raise ValueError(f"{path}: exchange/theta is missing: the projections have no angles")
    theta = file["exchange/theta"]
    angles = np.asarray(theta[()], np.float64) * _factor(theta, _RAD, default="degrees")
    if len(angles) != len(data):
        raise ValueError(f"{path}: {len(data)} projections but {len(angles)} angles in exchange/theta")
    names: dict[Role, str] = {"dark": "exchange/data_dark", "flat": "exchange/data_white"}
    frames: dict[Role, list[Place]] = {
        role: [(name, number) for number in range(len(file[name]))]
        for role, name in names.items()
        if name in file
    }
    segments = [
        Segment(role=role, angles_rad=(0.0,) * len(places)) for role, places in frames.items() if places
    ]
    frames["projection"] = [("exchange/data", number) for number in range(len(data))]
    sizes = (
        "measurement/instrument/detector/actual_pixel_size_x",
        "measurement/instrument/detection_system/objective/resolution",
    )
    return StoredScan(
        name=str(path),
        segments=(*segments, Segment(role="projection", angles_rad=tuple(angles.tolist()))),
        frames=frames,
        frame_shape=data.shape[1:],
        dtype=data.dtype.newbyteorder("="),
        facts=_facts(
            file,
            path,
            pixel_size_um=(sizes, _UM),
            energy_kev=(("measurement/instrument/monochromator/energy",), _KEV),
            sample_name=(("measurement/sample/name",), None),
        ),
    )


def _nxtomo(path: Path, entry: h5py.Group) -> StoredScan:
    detector = entry["instrument/detector"]
    data, keys = detector["data"], np.asarray(detector["image_key"][()]).ravel()
    if "sample/rotation_angle" not in entry:
        raise ValueError(f"{path}: {entry.name}/sample/rotation_angle is missing")
    rotation = entry["sample/rotation_angle"]
    angles = np.asarray(rotation[()], np.float64).ravel() * _factor(rotation, _RAD, default="degrees")
    if not len(keys) == len(angles) == len(data):
        raise ValueError(f"{path}: {len(data)} frames, {len(keys)} image keys and {len(angles)} angles")
    unknown = set(keys.tolist()) - {*_ROLE_OF_KEY, _LEFT_OUT}
    if unknown:
        raise ValueError(f"{path}: unknown image keys {sorted(unknown)}")
    kept = np.flatnonzero(keys != _LEFT_OUT)
    blocks = [
        (_ROLE_OF_KEY[int(key)], list(block)) for key, block in groupby(kept.tolist(), key=lambda i: keys[i])
    ]
    if not any(role == "projection" for role, _ in blocks):
        raise ValueError(f"{path}: {data.name} has no projections (image key 0)")
    frames: dict[Role, list[Place]] = {}
    for role, block in blocks:
        frames.setdefault(role, []).extend((data.name, number) for number in block)
    return StoredScan(
        name=str(path),
        segments=tuple(
            Segment(role=role, angles_rad=tuple(angles[block].tolist())) for role, block in blocks
        ),
        frames=frames,
        frame_shape=data.shape[1:],
        dtype=data.dtype.newbyteorder("="),
        facts=_facts(
            entry,
            path,
            pixel_size_um=(("instrument/detector/x_pixel_size",), _UM),
            energy_kev=(("beam/incident_energy", "instrument/beam/incident_energy"), _KEV),
            phase_shift_rad=(("instrument/phase_plate/shift_rad",), _RAD),
            sample_name=(("sample/name",), None),
            beamline=(("instrument/name",), None),
        ),
    )


def _facts(
    group: h5py.Group, path: Path, **wanted: tuple[Sequence[str], Mapping[str, float] | None]
) -> dict[str, Any]:
    """Read the first of each fact's places that exists, in the fact's unit; None as units means a text."""
    facts: dict[str, Any] = {"stored_scan": path.name}
    for name, (places, units) in wanted.items():
        for place in places:
            if place in group and name not in facts:
                value = group[place][()]
                if units is None:
                    facts[name] = value.decode() if isinstance(value, bytes) else str(value)
                else:
                    facts[name] = float(np.ravel(value)[0]) * _factor(group[place], units)
    return facts


def _factor(dataset: h5py.Dataset, units: Mapping[str, float], default: str | None = None) -> float:
    unit = dataset.attrs.get("units", default)
    unit = unit.decode() if isinstance(unit, bytes) else unit
    if unit is None or str(unit).lower() not in units:
        raise ValueError(
            f"{dataset.file.filename}:{dataset.name} has units {unit!r}; known are {', '.join(units)}"
        )
    return units[str(unit).lower()]
