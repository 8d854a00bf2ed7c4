import subprocess
import sys
from dataclasses import replace

import h5py
import numpy as np
import pytest
from seeing import reconstruct

from simulators.__main__ import main
from simulators.imager import Imager
from simulators.instruments import load_instrument
from simulators.nxtomo import write_scan


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    path = tmp_path_factory.mktemp("scan") / "scan.h5"
    assert (
        main(["write", "--instrument", "anatomix", "--size", "tiny", "--seed", "1", "--out", str(path)]) == 0
    )
    with h5py.File(path) as file:
        yield file


def test_the_file_is_an_nxtomo_with_units(scan):
    assert scan["entry"].attrs["NX_class"] == "NXentry"
    assert scan["entry/definition"][()] == b"NXtomo"
    detector = scan["entry/instrument/detector"]
    assert detector["data"].shape == (20 + 20 + 90 + 20, 48, 64)
    assert detector["data"].dtype == np.uint16
    assert detector["x_pixel_size"][()] == pytest.approx(0.282)
    assert detector["x_pixel_size"].attrs["units"] == "um"
    assert scan["entry/beam/incident_energy"][()] == 10
    assert scan["entry/beam/incident_energy"].attrs["units"] == "keV"
    assert scan["entry/instrument/phase_plate/shift_rad"][()] == pytest.approx(-np.pi / 2)
    assert scan["entry/data/data"].shape == detector["data"].shape


def test_keys_and_angles_name_each_frame(scan):
    key = scan["entry/instrument/detector/image_key"][:]
    angles = scan["entry/sample/rotation_angle"][:]
    assert np.array_equal(key, [2] * 20 + [1] * 20 + [0] * 90 + [1] * 20)
    assert angles[key == 0] == pytest.approx(np.arange(90) * 2.0)
    assert scan["entry/sample/rotation_angle"].attrs["units"] == "degree"
    means = scan["entry/instrument/detector/data"][:].mean(axis=(1, 2))
    assert means[key == 2].max() < 110
    assert means[key == 1].min() > 8000


def test_the_truth_lies_on_the_grid_of_a_reconstruction(scan):
    data = scan["entry/instrument/detector/data"][:].astype(float)
    key = scan["entry/instrument/detector/image_key"][:]
    dark, flat = (data[key == kind].mean(axis=0) for kind in (2, 1))
    integrals = np.log(np.clip((data[key == 0] - dark) / (flat - dark), 0.02, 8))
    angles = np.deg2rad(scan["entry/sample/rotation_angle"][:][key == 0])
    grey = reconstruct(integrals, angles, scan["truth"].attrs["rotation_axis_px"])
    lcn = scan["truth/labels"][:] == 2
    contrasts = {
        turn: grey[flipped].mean() - grey[scan["truth/labels"][:] == 1].mean()
        for turn, flipped in {
            "as written": lcn,
            "upside down": lcn[:, ::-1],
            "mirrored": lcn[:, :, ::-1],
            "half a turn": lcn[:, ::-1, ::-1],
            "rows reversed": lcn[::-1],
        }.items()
    }
    assert min(contrasts, key=contrasts.get) == "as written"
    assert contrasts["as written"] < -1.5 * grey[scan["truth/labels"][:] == 1].std()


def test_truth_says_what_it_knows(scan):
    attributes = scan["truth"].attrs
    labels = scan["truth/labels"][:]
    lcn = np.count_nonzero(labels == 2)
    assert attributes["porosity"] == pytest.approx(lcn / np.count_nonzero(labels))
    assert attributes["porosity"] == pytest.approx(0.021, rel=0.06)
    assert attributes["voxel_um"] == pytest.approx(0.282)
    assert attributes["shade_off_threshold"] == 0.12
    assert attributes["lacuna_count"] >= 3
    assert list(scan["truth/labels"].attrs["classes"]) == ["background", "bone", "lcn", "shade_off"]


def test_listed_lacunae_lie_in_the_lcn(scan):
    table = scan["truth/lacunae"]
    assert list(table.attrs["columns"]) == ["z_px", "row_px", "column_px", "a_um", "b_um", "c_um"]
    labels = scan["truth/labels"][:]
    inside = [
        labels[tuple(np.rint(place).astype(int))] == 2
        for place in table[:, :3]
        if -0.5 < place[0] < len(labels) - 0.5
    ]
    assert len(inside) >= 3
    assert all(inside)
    assert np.all(np.diff(table[:, 3:], axis=1) < 0)


def test_streamlcn_opens_the_file_and_finds_all_it_says(scan):
    from streamlcn.files import open_scan_file

    data = scan["entry/instrument/detector/data"][:]
    key = scan["entry/instrument/detector/image_key"][:]
    with open_scan_file(scan.filename) as opened:
        assert opened.format == "nxtomo"
        assert not opened.is_line_integral
        assert np.array_equal(opened.projections[:], data[key == 0])
        assert np.array_equal(opened.flats[:], data[key == 1])
        assert np.array_equal(opened.darks[:], data[key == 2])
        assert opened.angles_rad == pytest.approx(np.arange(90) * np.pi / 90)
        assert opened.voxel_size_um == pytest.approx(0.282)
        assert opened.energy_kev == pytest.approx(10.0)
        assert opened.phase_shift_rad == pytest.approx(-np.pi / 2)


@pytest.mark.parametrize("out", ["plain.h5", "switched.h5"])
def test_flaws_are_switched_from_the_command_line(tmp_path, out):
    path = tmp_path / out
    switch = ["--set", "camera.hot_share=0"] if out == "switched.h5" else []
    assert main(["write", "--size", "tiny", "--seed", "1", *switch, "--out", str(path)]) == 0
    with h5py.File(path) as file:
        dark = file["entry/instrument/detector/data"][0]
    assert (dark.max() > 1500) == (out == "plain.h5")


def test_an_interrupted_scan_leaves_no_file(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(type(tiny), "labels", property(lambda self: 1 / 0))
    with pytest.raises(ZeroDivisionError):
        write_scan(tiny, tmp_path / "scan.h5", dark_count=1, flat_count=1)
    assert not list(tmp_path.iterdir())


def test_dropped_frames_are_missing_everywhere_alike(tmp_path):
    one = load_instrument("anatomix")
    lossy = Imager(replace(one, camera=replace(one.camera, dropped_share=0.2)), "tiny", 1)
    with h5py.File(write_scan(lossy, tmp_path / "lossy.h5", flat_count=5, dark_count=5)) as file:
        numbers = file["entry/instrument/detector/exposure_number"][:]
        assert 60 < len(numbers) < 100
        assert [n for n in range(105) if not lossy.is_dropped(n)] == numbers.tolist()
        assert len(file["entry/instrument/detector/data"]) == len(file["entry/sample/rotation_angle"])
        angles, key = file["entry/sample/rotation_angle"][:], file["entry/instrument/detector/image_key"][:]
        assert angles[key == 0] == pytest.approx((numbers[key == 0] - 10) * 2.0)


def test_wrong_arguments_are_told(tmp_path, capsys):
    for wrong, message in (
        (["--instrument", "id16"], "no instrument named 'id16'"),
        (["--dropped-share", "1.5"], "--dropped-share is 1.5"),
        (["--size", "huge"], "invalid choice: 'huge'"),
        (["--set", "camera.hot=1"], "there is no 'hot'"),
        (["--out", str(tmp_path / "none" / "x.h5")], "there is no folder"),
    ):
        with pytest.raises(SystemExit) as stop:
            main(["write", "--out", str(tmp_path / "x.h5"), *wrong])
        assert stop.value.code == 2
        assert message in capsys.readouterr().err


def test_the_dispatcher_lists_its_commands_and_refuses_others(capsys):
    assert main(["--help"]) == 0
    listed = capsys.readouterr().out
    assert "scan" in listed
    assert "write" in listed
    assert main(["dance"]) == 2
    assert "no command named 'dance'" in capsys.readouterr().err


def test_help_and_import_stay_light():
    code = (
        "import sys, simulators, simulators.__main__ as m; m.main(['--help']); "
        "heavy = {'torch', 'numpy', 'h5py', 'bluesky', 'ophyd'} & set(sys.modules); sys.exit(len(heavy))"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], stdout=subprocess.DEVNULL, check=False).returncode == 0
    )


def test_simulators_know_nothing_of_the_house():
    code = (
        "import sys, simulators.write, simulators.nxtomo; "
        "sys.exit(any(name.split('.')[0] == 'streamlcn' for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
