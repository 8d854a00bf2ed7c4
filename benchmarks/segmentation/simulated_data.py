"""Simulate scans, reconstruct them as the daemon does and pair each volume with its truth.

    python benchmarks/segmentation/simulated_data.py DATA --instrument anatomix --seeds 1-8

Writes ``DATA/<instrument>_<seed>_m<radius>.h5`` with ``/volume`` and ``/labels``, as `streamlcn train` wants
them. Every seed is another bone in another microscope (``--randomise``); ``--plain`` keeps the instrument as
its file describes it. The axis of rotation is found from the projections, as in a scan whose axis nobody
tells; the attribute ``centre_error_px`` says how far off that was. Where it was off by more than a pixel, the
true axis was used: somebody would have told it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Literal

import h5py
import numpy as np
import numpy.typing as npt

from streamlcn.files import ScanFile, open_scan_file
from streamlcn.model import Frame, FrameKind, Scan
from streamlcn.reconstruction import ReconstructionSettings, make_reference, open_whole_scan
from streamlcn.reconstruction.settings import CentreSettings, CorrectionSettings

FARTHEST_PX = 1.0


def main() -> None:
    """Parse arguments and make what is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--instrument", default="anatomix")
    parser.add_argument("--size", default="small")
    parser.add_argument("--seeds", default="1-8", help="first-last")
    parser.add_argument("--median", type=int, nargs="+", default=[2], help="radii of the median filter, px")
    parser.add_argument("--plain", action="store_true", help="the instrument itself, no random neighbour")
    chosen = parser.parse_args()
    first, _, last = chosen.seeds.partition("-")
    chosen.data.mkdir(parents=True, exist_ok=True)
    for seed in range(int(first), int(last or first) + 1):
        stem = f"{chosen.instrument}{'_plain' if chosen.plain else ''}_{seed}"
        wanted = {radius: chosen.data / f"{stem}_m{radius}.h5" for radius in chosen.median}
        missing = {radius: path for radius, path in wanted.items() if not path.exists()}
        if not missing:
            continue
        with tempfile.TemporaryDirectory() as folder:
            scan = Path(folder) / "scan.h5"
            _simulate(scan, chosen.instrument, chosen.size, seed, is_plain=chosen.plain)
            for radius, path in missing.items():
                error_px = _pair(scan, path, radius)
                print(f"{path} (centre off by {error_px:+.2f} px)", flush=True)


def _simulate(path: Path, instrument: str, size: str, seed: int, *, is_plain: bool) -> None:
    command = [sys.executable, "-m", "simulators", "write", "--instrument", instrument, "--size", size]
    command += ["--seed", str(seed), "--out", str(path), *([] if is_plain else ["--randomise"])]
    subprocess.run(command, check=True)


def _pair(scan_path: Path, path: Path, median_radius_px: int) -> float:
    """Write one volume with its truth; return the error of the centre that was found, in pixels."""
    with h5py.File(scan_path) as file:
        labels = file["truth/labels"][()]
        axis = float(file["truth"].attrs["rotation_axis_px"])
    with open_scan_file(scan_path) as scan:
        volume, found = _reconstructed(scan, median_radius_px, "auto")
        if abs(found - axis) > FARTHEST_PX:
            volume, _ = _reconstructed(scan, median_radius_px, round(axis, 1))
        voxel_um = scan.voxel_size_um
    part = path.with_suffix(".part")
    with h5py.File(part, "w") as file:
        file.create_dataset("volume", data=volume, chunks=(1, *volume.shape[1:]))
        file.create_dataset("labels", data=labels, chunks=(1, *labels.shape[1:]), compression="gzip")
        file.attrs.update({"voxel_size_um": voxel_um, "median_radius_px": median_radius_px})
        file.attrs["centre_error_px"] = found - axis
    part.replace(path)
    return found - axis


def _reconstructed(
    scan: ScanFile, median_radius_px: int, centre: float | Literal["auto"]
) -> tuple[npt.NDArray[np.float32], float]:
    """Return the volume (z, y, x) and the centre that it was made with."""
    settings = ReconstructionSettings(
        correction=CorrectionSettings(median_radius_px=median_radius_px), centre=CentreSettings(value=centre)
    )
    projections = scan.projections[:]
    count, rows, columns = projections.shape
    told = Scan(
        uid=scan.path.name,
        projection_count=count,
        detector_shape=(rows, columns),
        voxel_size_um=scan.voxel_size_um,
        phase_shift_rad=scan.phase_shift_rad,
    )
    volume = np.empty((rows, columns, columns), np.float32)
    with open_whole_scan(settings, told, make_reference(scan.flats[:], scan.darks[:])) as session:
        for index, (pixels, angle) in enumerate(zip(projections, scan.angles_rad, strict=True)):
            session.add(Frame(kind=FrameKind.PROJECTION, index=index, angle_rad=float(angle), pixels=pixels))
        for slab in session.finish():
            volume[slab.z_start : slab.z_start + len(slab.voxels)] = slab.voxels
        return volume, session.centre[0]


if __name__ == "__main__":
    main()
