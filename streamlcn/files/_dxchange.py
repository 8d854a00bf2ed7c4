"""DXchange files, as written at the Advanced Photon Source.

Layout: F. De Carlo et al., J. Synchrotron Rad. 21 (2014) 1224, doi 10.1107/S160057751401604X.
"""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from streamlcn.errors import BadInput
from streamlcn.files._scan_file import ScanFile, checked_angles, checked_frames, require_references
from streamlcn.files._stack import FrameStack
from streamlcn.files._units import ANGLES, ENERGIES, LENGTHS, quantity, unit_of

__all__ = ["is_dxchange", "open_dxchange"]

_INSTRUMENT = "measurement/instrument"
_PIXEL_SIZES = (
    f"{_INSTRUMENT}/detector/actual_pixel_size_x",
    f"{_INSTRUMENT}/detection_system/objective/resolution",
)
"""Pixel sizes in the sample's plane; ``detector/pixel_size_x`` is the sensor's own and no voxel size."""


def is_dxchange(file: h5py.File) -> bool:
    """Return whether ``file`` has DXchange's frames."""
    return "exchange/data" in file


def open_dxchange(file: h5py.File, *, is_line_integral: bool) -> ScanFile:
    """Return the scan in ``file``; raises `BadInput`."""
    projections = checked_frames(file, "exchange/data")
    if len(projections) == 0:
        raise BadInput(f"{file.filename}:/exchange/data has no projections")
    flats = _references(file, "exchange/data_white", projections)
    darks = _references(file, "exchange/data_dark", projections)
    require_references(file.filename, len(flats), len(darks), is_line_integral=is_line_integral)
    sizes = (quantity(file, path, LENGTHS) for path in _PIXEL_SIZES)
    return ScanFile(
        path=Path(file.filename),
        format="dxchange",
        projections=FrameStack(projections, np.arange(len(projections))),
        flats=flats,
        darks=darks,
        angles_rad=_angles(file, len(projections)),
        voxel_size_um=next((size for size in sizes if size is not None), None),
        energy_kev=quantity(file, f"{_INSTRUMENT}/monochromator/energy", ENERGIES),
        phase_shift_rad=None,
        is_line_integral=is_line_integral,
        on_close=file.close,
    )


def _references(file: h5py.File, path: str, projections: h5py.Dataset) -> FrameStack:
    if path not in file:
        return FrameStack(projections, np.empty(0, np.intp))
    dataset = checked_frames(file, path, projections.shape[1:])
    return FrameStack(dataset, np.arange(len(dataset)))


def _angles(file: h5py.File, count: int) -> npt.NDArray[np.float64]:
    dataset = file.get("exchange/theta")
    where = f"{file.filename}:/exchange/theta"
    if not isinstance(dataset, h5py.Dataset):
        raise BadInput(f"{where} is missing: add the angle of each projection in degrees")
    unit = unit_of(dataset) or "degrees"  # the standard's own default
    if unit.lower() not in ANGLES:
        raise BadInput(f"{where} is in {unit!r}; known units are {', '.join(ANGLES)}")
    angles = np.asarray(dataset[()], np.float64).ravel()
    return checked_angles(angles * ANGLES[unit.lower()], count, where)
