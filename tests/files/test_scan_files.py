from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from streamlcn.errors import BadInput
from streamlcn.files import open_scan_file
from streamlcn.model import FileSource

_rng = np.random.default_rng(5)
FRAMES = _rng.integers(1, 60_000, (12, 4, 5)).astype(np.uint16)
KEYS = np.array([2, 1, 0, 0, 3, 0, 0, 1, 0, 2, 0, 1])  # references before, between, after; one invalid
ANGLES = np.linspace(0, 170, 12)


@pytest.fixture
def nxtomo(tmp_path: Path) -> Path:
    path = tmp_path / "scan.nxs"
    with h5py.File(path, "w") as file:
        entry = file.create_group("entry")
        entry["instrument/detector/data"] = FRAMES
        entry["instrument/detector/image_key"] = KEYS
        entry["sample/rotation_angle"] = ANGLES
        entry["sample/rotation_angle"].attrs["units"] = "degrees"
        for name, value, unit in (
            ("instrument/detector/x_pixel_size", 1.5e-7, "m"),
            ("beam/incident_energy", 11_000.0, "eV"),
            ("instrument/phase_plate/shift_rad", -np.pi / 2, "rad"),
        ):
            entry[name] = value
            entry[name].attrs["units"] = unit
    return path


@pytest.fixture
def dxchange(tmp_path: Path) -> Path:
    path = tmp_path / "scan.h5"
    with h5py.File(path, "w") as file:
        file["exchange/data"] = FRAMES[:6]
        file["exchange/data_white"] = FRAMES[6:9]
        file["exchange/data_dark"] = FRAMES[9:]
        file["exchange/theta"] = ANGLES[:6]
        file["measurement/instrument/monochromator/energy"] = 11.0
        file["measurement/instrument/monochromator/energy"].attrs["units"] = "keV"
    return path


def test_nxtomo_frames_are_sorted_by_their_keys(nxtomo: Path) -> None:
    with open_scan_file(nxtomo) as scan:
        assert scan.format == "nxtomo"
        np.testing.assert_array_equal(np.asarray(scan.projections), FRAMES[KEYS == 0])
        np.testing.assert_array_equal(scan.flats[:], FRAMES[KEYS == 1])
        np.testing.assert_array_equal(scan.darks[-1], FRAMES[9])
        np.testing.assert_array_equal(scan.projections[1:4], FRAMES[[3, 5, 6]])
        assert scan.projections[2:2].shape == (0, 4, 5)
        assert scan.projections.dtype == np.uint16
        np.testing.assert_array_equal(scan.angles_rad, np.deg2rad(ANGLES)[KEYS == 0])
        assert scan.voxel_size_um == pytest.approx(0.15, rel=1e-12)
        assert scan.energy_kev == pytest.approx(11.0, rel=1e-12)
        assert scan.phase_shift_rad == -np.pi / 2
        assert scan.projections.source(2) == FileSource(
            path=nxtomo, dataset="/entry/instrument/detector/data", index=5, swmr=False
        )


def test_dxchange_frames_are_where_the_standard_says(dxchange: Path) -> None:
    with open_scan_file(dxchange) as scan:
        assert scan.format == "dxchange"
        np.testing.assert_array_equal(np.stack(list(scan.projections)), FRAMES[:6])
        np.testing.assert_array_equal(np.asarray(scan.flats, np.float32), FRAMES[6:9])
        np.testing.assert_array_equal(scan.darks[0], FRAMES[9])
        np.testing.assert_array_equal(scan.angles_rad, np.deg2rad(ANGLES[:6]))
        assert (scan.voxel_size_um, scan.energy_kev, scan.phase_shift_rad) == (None, 11.0, None)
    scan.close()


def test_a_length_without_a_unit_is_no_voxel_size(nxtomo: Path) -> None:
    with h5py.File(nxtomo, "a") as file:
        del file["entry/instrument/detector/x_pixel_size"].attrs["units"]
    with open_scan_file(nxtomo) as scan:
        assert scan.voxel_size_um is None


def test_line_integrals_need_no_references(dxchange: Path) -> None:
    with h5py.File(dxchange, "a") as file:
        del file["exchange/data_white"], file["exchange/data_dark"]
    with pytest.raises(BadInput, match=r"has no flats and no darks.*is_line_integral"):
        open_scan_file(dxchange)
    with open_scan_file(dxchange, is_line_integral=True) as scan:
        assert scan.is_line_integral
        assert (len(scan.projections), len(scan.flats), len(scan.darks)) == (6, 0, 0)


def _replace(name: str, value: object) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        attributes = dict(file[name].attrs) if name in file else {}
        if name in file:
            del file[name]
        if value is not None:
            file[name] = value
            if attributes:
                file[name].attrs.update(attributes)

    return change


def _units(name: str, unit: str) -> Callable[[h5py.File], None]:
    def change(file: h5py.File) -> None:
        file[name].attrs["units"] = unit

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_replace("entry/sample/rotation_angle", ANGLES[:-1]), "11 angles for 12 frames"),
        (_replace("entry/sample/rotation_angle", None), "rotation_angle is missing"),
        (_replace("entry/sample/rotation_angle", [np.nan] * 12), "not a finite number for frame 0"),
        (_units("entry/sample/rotation_angle", "turns"), "has units 'turns'"),
        (_replace("entry/instrument/detector/image_key", KEYS[1:]), "11 keys for 12 frames"),
        (_replace("entry/instrument/detector/image_key", KEYS + 3), r"unknown values \[4, 5, 6\]"),
        (_replace("entry/instrument/detector/image_key", np.ones(12, int)), "no projections"),
        (_replace("entry/instrument/detector/image_key", KEYS * (KEYS != 1)), "has no flats"),
        (_replace("entry/instrument/detector/data", FRAMES[0]), "frames are real numbers"),
        (_replace("entry/instrument/detector/data", FRAMES.astype(complex)), "frames are real numbers"),
        (
            _replace("entry/instrument/detector/data", h5py.ExternalLink("gone.h5", "/x")),
            "links to another file",
        ),
        (_units("entry/beam/incident_energy", "furlongs"), "incident_energy is in 'furlongs'"),
    ],
)
def test_nxtomo_that_cannot_be_right_is_refused(
    nxtomo: Path, change: Callable[[h5py.File], None], message: str
) -> None:
    with h5py.File(nxtomo, "a") as file:
        change(file)
    with pytest.raises(BadInput, match=message):
        open_scan_file(nxtomo)
    nxtomo.unlink()  # and it was closed


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_replace("exchange/theta", ANGLES[:5]), "5 angles for 6 frames"),
        (_replace("exchange/theta", None), "theta is missing"),
        (
            _replace("exchange/data_white", FRAMES[:, :3]),
            r"frames of \(3, 5\) pixels, the projections \(4, 5\)",
        ),
        (_replace("exchange/data_dark", None), "has no darks"),
        (_replace("exchange/data", FRAMES[:0]), "no projections"),
        (_replace("exchange/data", None), r"neither NXtomo .* nor DXchange .* groups are exchange"),
    ],
)
def test_dxchange_that_cannot_be_right_is_refused(
    dxchange: Path, change: Callable[[h5py.File], None], message: str
) -> None:
    with h5py.File(dxchange, "a") as file:
        change(file)
    with pytest.raises(BadInput, match=message):
        open_scan_file(dxchange)


def test_a_real_scan_opens() -> None:
    """Row and frame means of a real tooth, as stored: see tests/data/tomography/README.md."""
    path = Path(__file__).parents[1] / "data" / "tomography" / "tooth.h5"
    with open_scan_file(path) as scan:
        assert scan.format == "dxchange"
        assert scan.projections.shape == (181, 2, 640)
        assert (len(scan.flats), len(scan.darks)) == (10, 10)
        assert np.rad2deg(scan.angles_rad[-1]) == pytest.approx(179.0055, abs=1e-4)
        assert np.asarray(scan.flats).mean() == pytest.approx(27941.957, rel=1e-5)
        assert np.asarray(scan.darks).mean() == pytest.approx(105, abs=1)
        assert scan.voxel_size_um is None


def test_what_is_no_hdf5_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.h5").write_text("hello")
    with pytest.raises(BadInput, match="cannot be read as HDF5"):
        open_scan_file(tmp_path / "text.h5")
    with pytest.raises(BadInput, match="is not a file"):
        open_scan_file(tmp_path / "none.h5")
