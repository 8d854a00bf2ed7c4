"""Real scans, see tests/data/tomography/README.md."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from streamlcn.files import open_scan_file
from streamlcn.reconstruction import Correction, make_reference
from streamlcn.reconstruction._centre import centre_rows
from streamlcn.reconstruction.settings import CorrectionSettings

DATA = Path(__file__).parents[1] / "data" / "tomography"


@dataclass(frozen=True)
class RealScan:
    """Frames (index, row, column) and angles; flats and darks None when frames are line integrals."""

    projections: npt.NDArray[Any]
    flats: npt.NDArray[Any] | None
    darks: npt.NDArray[Any] | None
    angles_rad: npt.NDArray[np.float64]
    flats_after: npt.NDArray[Any] | None = None


@cache
def tooth() -> RealScan:
    with h5py.File(DATA / "tooth.h5") as file:
        group = file["exchange"]
        return RealScan(
            group["data"][:], group["data_white"][:], group["data_dark"][:], np.deg2rad(group["theta"][:])
        )


@cache
def dendrite() -> RealScan:
    with h5py.File(DATA / "dendrite.h5") as file:
        lines = file["exchange/data"][:] / np.float32(1000)
        return RealScan(lines, None, None, np.deg2rad(file["exchange/theta"][:]))


@cache
def k11() -> RealScan:
    with h5py.File(DATA / "k11.h5") as file:
        frames = file["entry/instrument/detector/data"][:]
        key = file["entry/instrument/detector/image_key"][:]
        angles = np.deg2rad(file["entry/sample/rotation_angle"][:][key == 0])
    first, last = np.flatnonzero(key == 0)[[0, -1]]
    place = np.arange(len(key))
    return RealScan(
        frames[key == 0],
        frames[(key == 1) & (place < first)],
        frames[key == 2],
        angles,
        frames[(key == 1) & (place > last)],
    )


def simulated_lines(
    folder: Path, *options: str
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float64], float]:
    """Return line integrals of the rows that vote on the centre, angles, and where the axis truly is."""
    path = folder / "scan.h5"
    command = [sys.executable, "-m", "simulators", "write", *options, "--out", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    with h5py.File(path) as file:
        truth = float(file["truth"].attrs["rotation_axis_px"])
    with open_scan_file(path) as scan:
        reference = make_reference(scan.flats[:], scan.darks[:])
        correction = Correction(CorrectionSettings(), reference, scan.phase_shift_rad)
        rows = centre_rows(scan.projections.shape[1])
        lines = np.stack([correction.line_integrals(frame)[rows] for frame in scan.projections[:]])
        return lines, scan.angles_rad, truth
