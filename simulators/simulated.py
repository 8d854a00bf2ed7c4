"""The scene of a simulated bone in a simulated microscope."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from simulators.angles import ORDERS
from simulators.instruments import load_instrument
from simulators.scene import Scene, plain_segments
from simulators.tuning import tuned

if TYPE_CHECKING:
    from simulators.imager import Imager

REFERENCE_COUNT = 20


def simulated_scene(
    instrument: str,
    size: str,
    seed: int,
    *,
    order: str = "linear",
    projection_count: int | None = None,
    dark_count: int = REFERENCE_COUNT,
    flat_count: int = REFERENCE_COUNT,
    changes: Iterable[str] = (),
    device: str = "cpu",
) -> Scene:
    """Return a bone of ``seed`` in the instrument of that name or file, ``changes`` made as `tuned` does.

    Raises
    ------
    ValueError
        There is no such instrument, size or order, or a change cannot be made.
    """
    from simulators.imager import Imager

    if order not in ORDERS:
        raise ValueError(f"no order of angles named {order!r}: choose one of {', '.join(ORDERS)}")
    imager = Imager(tuned(load_instrument(instrument), changes), size, seed, device=device)
    angles = ORDERS[order](projection_count or imager.projection_count)
    return Scene(
        exposer=imager,
        segments=plain_segments(angles.tolist(), dark_count=dark_count, flat_count=flat_count),
        facts={
            "pixel_size_um": imager.pixel_um,
            "energy_kev": imager.energy_kev,
            "phase_shift_rad": imager.phase_shift_rad,
            "beamline": imager.instrument.name,
            "sample_name": f"simulated bone, seed {seed}",
        },
        rotation_axis_px=imager.rotation_axis_px,
        exposure_s=imager.exposure_s,
        is_dropped=imager.is_dropped,
        write_truth=lambda path: write_truth(imager, path),
    )


def write_truth(imager: Imager, path: str | Path) -> None:
    """Write the sample's labels (z, y, x) uint8 and its numbers, as ``.npz`` or HDF5 by the path's suffix.

    Raises
    ------
    ValueError
        The suffix is neither .npz nor .h5.
    """
    path = Path(path)
    numbers: dict[str, Any] = {
        "voxel_um": imager.pixel_um,
        "porosity": imager.phantom.porosity,
        "lacuna_count": len(imager.phantom.lacunae),
        "canaliculus_count": len(imager.phantom.canaliculi),
        "rotation_axis_px": imager.rotation_axis_px,
        "seed": imager.seed,
    }
    if path.suffix == ".npz":
        np.savez_compressed(path, labels=imager.labels, **numbers)
    elif path.suffix in (".h5", ".hdf5"):
        with h5py.File(path, "w") as file:
            labels = file.create_dataset("labels", data=imager.labels, compression="gzip")
            labels.attrs["classes"] = ["background", "bone", "lcn", "shade_off"]
            file.attrs.update(numbers)
    else:
        raise ValueError(f"cannot write the truth to {path}: its name must end in .npz or .h5")
