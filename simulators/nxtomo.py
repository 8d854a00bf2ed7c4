"""Write a simulated scan as NXtomo, with the truth beside it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from simulators.imager import Imager

_PROJECTION, _FLAT, _DARK = 0, 1, 2


def write_scan(imager: Imager, path: str | Path, *, dark_count: int = 20, flat_count: int = 20) -> Path:
    """Simulate darks, flats, the nominal projections and flats again, and write them.

    `/entry` is an NXtomo; `/truth` holds `labels` (z, y, x) and, as attributes, the porosity, the rotation
    axis in pixels, the shade-off rule and the seed. Dropped exposures are missing from every array alike.
    """
    path = Path(path)
    part = path.with_name(f"{path.name}.part")
    try:
        _write(imager, part, dark_count, flat_count)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def _write(imager: Imager, path: Path, dark_count: int, flat_count: int) -> None:
    angles = imager.nominal_angles_rad
    imager.prepare(angles)
    frames = (
        [(_DARK, 0.0)] * dark_count
        + [(_FLAT, 0.0)] * flat_count
        + [(_PROJECTION, float(angle)) for angle in angles]
        + [(_FLAT, 0.0)] * flat_count
    )
    kept = [
        (number, kind, angle) for number, (kind, angle) in enumerate(frames) if not imager.is_dropped(number)
    ]
    with h5py.File(path, "w") as file:
        file.attrs["default"] = "entry"
        entry = _group(file, "entry", "NXentry", default="data")
        entry["definition"] = "NXtomo"
        entry["title"] = f"simulated bone, {imager.instrument.name}, {imager.size.name}, seed {imager.seed}"
        detector = _instrument(entry, imager)
        shape = (len(kept), *imager.shape)
        data = detector.create_dataset("data", shape, "uint16", chunks=(1, *imager.shape))
        for place, (number, kind, angle) in enumerate(kept):
            data[place] = imager.expose(
                angle_rad=angle, sample_in=kind == _PROJECTION, shutter_open=kind != _DARK, exposure=number
            )
        detector["image_key"] = np.array([kind for _, kind, _ in kept], np.int32)
        detector["exposure_number"] = np.array([number for number, _, _ in kept], np.int32)
        sample = _group(entry, "sample", "NXsample")
        sample["name"] = "simulated zebrafish bone"
        _quantity(sample, "rotation_angle", np.rad2deg([angle for _, _, angle in kept]), "degree")
        view = _group(entry, "data", "NXdata", signal="data")
        view["data"] = h5py.SoftLink("/entry/instrument/detector/data")
        view["image_key"] = h5py.SoftLink("/entry/instrument/detector/image_key")
        view["rotation_angle"] = h5py.SoftLink("/entry/sample/rotation_angle")
        _truth(file, imager)


def _instrument(entry: h5py.Group, imager: Imager) -> h5py.Group:
    instrument = _group(entry, "instrument", "NXinstrument")
    instrument["name"] = imager.instrument.name
    source = _group(instrument, "source", "NXsource")
    source["probe"] = "x-ray"
    plate = _group(instrument, "phase_plate", "NXcollection")
    _quantity(plate, "shift_rad", imager.phase_shift_rad, "rad")
    detector = _group(instrument, "detector", "NXdetector")
    _quantity(detector, "x_pixel_size", imager.pixel_um, "um")
    _quantity(detector, "y_pixel_size", imager.pixel_um, "um")
    _quantity(detector, "count_time", imager.exposure_s, "s")
    beam = _group(entry, "beam", "NXbeam")
    _quantity(beam, "incident_energy", imager.energy_kev, "keV")
    return detector


def _truth(file: h5py.File, imager: Imager) -> None:
    truth = _group(file, "truth", "NXcollection")
    truth.create_dataset(
        "labels", data=imager.labels, chunks=(1, *imager.labels.shape[1:]), compression="gzip"
    )
    truth["labels"].attrs["classes"] = ["background", "bone", "lcn", "shade_off"]
    phantom = imager.phantom
    truth.attrs.update(
        {
            "porosity": phantom.porosity,
            "rotation_axis_px": imager.rotation_axis_px,
            "voxel_um": imager.pixel_um,
            "lacuna_count": len(phantom.lacunae),
            "canaliculus_count": len(phantom.canaliculi),
            "seed": imager.seed,
            "size": imager.size.name,
            "instrument": repr(imager.instrument),
        }
    )
    truth.create_dataset("lacunae", data=_lacunae(imager))
    truth["lacunae"].attrs["columns"] = ["z_px", "row_px", "column_px", "a_um", "b_um", "c_um"]
    truth.attrs.update({f"shade_off_{key}": value for key, value in asdict(imager.shade_off_rule).items()})


def _lacunae(imager: Imager) -> npt.NDArray[np.float64]:
    """One row per lacuna: centre in voxels of the labels, and falling semi-axes in um."""
    rows = []
    middle = (imager.shape[1] - 1) / 2
    for lacuna in imager.phantom.lacunae:
        z, y, x = lacuna.centre_um / imager.pixel_um
        rows.append([z, middle - y, middle + x, *lacuna.semi_axes_um])
    return np.array(rows)


def _group(parent: h5py.Group, name: str, kind: str, **attributes: str) -> h5py.Group:
    group = parent.create_group(name)
    group.attrs.update({"NX_class": kind, **attributes})
    return group


def _quantity(parent: h5py.Group, name: str, value: Any, units: str) -> None:
    parent[name] = value
    parent[name].attrs["units"] = units
