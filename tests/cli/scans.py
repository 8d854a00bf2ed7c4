"""A small scan as a file: a cylinder beside the axis, with flats before and after."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

ROWS, COLUMNS, PROJECTIONS = 3, 48, 40
CENTRE, X, Y, RADIUS, VALUE = 22.0, 4.0, -3.0, 11.0, 0.03  # pixels, 1/pixel
ANGLES = np.linspace(0, np.pi, PROJECTIONS, endpoint=False)
VOXEL_UM = 0.25


def lines() -> npt.NDArray[np.float64]:
    """Line integrals (index, row, column)."""
    t = np.arange(COLUMNS) - CENTRE
    offset = t[None, :] - X * np.cos(ANGLES)[:, None] - Y * np.sin(ANGLES)[:, None]
    chords = 2 * VALUE * np.sqrt(np.maximum(RADIUS**2 - offset**2, 0))
    return np.repeat(chords[:, None, :], ROWS, axis=1)


def inside() -> npt.NDArray[np.bool_]:
    """Voxels (y, x) well within the cylinder."""
    middle = (COLUMNS - 1) / 2
    y, x = np.indices((COLUMNS, COLUMNS))
    return np.hypot(x - middle - X, middle - y - Y) < RADIUS - 4


def counts(
    sign: float = -1.0,
) -> tuple[npt.NDArray[np.uint16], npt.NDArray[np.uint16], npt.NDArray[np.uint16]]:
    """Projections, flats and darks as a noisy camera counts them."""
    rng = np.random.default_rng(11)
    shade = 20_000 * (1 + 0.2 * np.sin(np.arange(COLUMNS) / 7))
    projections = np.exp(sign * lines()) * shade + 100
    flats = np.broadcast_to(shade + 100, (6, ROWS, COLUMNS))
    darks = np.full((3, ROWS, COLUMNS), 100.0)
    stacks = [
        rng.normal(stack, np.sqrt(stack)).round().astype(np.uint16) for stack in (projections, flats, darks)
    ]
    return stacks[0], stacks[1], stacks[2]


def write_nxtomo(
    path: Path, *, phase_shift_rad: float | None = None, voxel_um: float | None = VOXEL_UM
) -> Path:
    """Write darks, three flats, projections with a frame left out, three flats."""
    projections, flats, darks = counts(-1.0 if phase_shift_rad is None or phase_shift_rad > 0 else 1.0)
    frames = np.concatenate([darks, flats[:3], projections[:10], darks[:1], projections[10:], flats[3:]])
    keys = [2] * 3 + [1] * 3 + [0] * 10 + [3] + [0] * (PROJECTIONS - 10) + [1] * 3
    angles = np.zeros(len(keys))
    angles[np.array(keys) == 0] = np.rad2deg(ANGLES)
    said = {"sample/rotation_angle": (angles, "degrees")}
    if voxel_um is not None:
        said["instrument/detector/x_pixel_size"] = (voxel_um, "um")
    if phase_shift_rad is not None:
        said["instrument/phase_plate/shift_rad"] = (phase_shift_rad, "rad")
    with h5py.File(path, "w") as file:
        entry = file.create_group("entry")
        entry["instrument/detector/data"] = frames
        entry["instrument/detector/image_key"] = keys
        for name, (value, unit) in said.items():
            entry[name] = value
            entry[name].attrs["units"] = unit
    return path


def write_dxchange(path: Path, *, is_line_integral: bool = False) -> Path:
    """Write counts with flats and darks, or line integrals without."""
    projections, flats, darks = counts()
    with h5py.File(path, "w") as file:
        file["exchange/data"] = lines().astype(np.float32) if is_line_integral else projections
        file["exchange/theta"] = np.rad2deg(ANGLES)
        if not is_line_integral:
            file["exchange/data_white"], file["exchange/data_dark"] = flats, darks
    return path
