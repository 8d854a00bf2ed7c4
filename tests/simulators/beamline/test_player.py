"""Stored scans come out of the camera as they went in."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
from listening import Reader, decoded

from simulators.scan import main
from simulators.scan_files import read_scan_file
from simulators.stored import Overrides, StoredFrames, file_scene

TOOTH = Path(__file__).parents[2] / "data" / "tomography" / "tooth.h5"


@pytest.fixture
def nxtomo(tmp_path):
    """An NXtomo with references before and after, frames left out, and uneven angles; returns its path."""
    path = tmp_path / "nxtomo.h5"
    rng = np.random.default_rng(5)
    keys = np.array([1, 1, 2, 2, 0, 0, 3, 0, 0, 1, 2], np.int32)
    with h5py.File(path, "w") as file:
        entry = file.create_group("entry1")
        detector = entry.create_group("instrument/detector")
        detector["data"] = rng.integers(0, 60_000, (11, 5, 7)).astype(">u2")
        detector["image_key"] = keys
        detector["x_pixel_size"] = 0.65e-3
        detector["x_pixel_size"].attrs["units"] = "mm"
        entry["sample/rotation_angle"] = np.array([0, 0, 0, 0, 89.995, 90.06, 90.1, 90.17, 90.23, 0, 0])
        entry["sample/rotation_angle"].attrs["units"] = "deg"
        entry["sample/name"] = "a sample"
        entry["beam/incident_energy"] = 20_000.0
        entry["beam/incident_energy"].attrs["units"] = "eV"
    return path


def played(scan, listener, *options):
    told = scan(*options)
    return Reader([decoded(message, "pickle") for message in listener.messages_until_stops(told["uids"])])


@pytest.mark.parametrize("assets", ["inline", "resource", "stream"])
def test_a_dxchange_file_pixel_by_pixel(scan, listener, assets):
    reader = played(scan, listener, "--from-file", str(TOOTH), "--assets", assets, "--pixel-size-um", "1.5")
    with h5py.File(TOOTH) as file:
        for stream, dataset in (("dark", "data_dark"), ("flat", "data_white"), ("primary", "data")):
            found = np.stack(reader.streams[stream].pixels)
            assert found.dtype == np.float32
            np.testing.assert_array_equal(found, file[f"exchange/{dataset}"][()])
        np.testing.assert_allclose(
            reader.streams["primary"].rotation_deg, file["exchange/theta"][()], atol=1e-9
        )
        (start,) = reader.starts
        np.testing.assert_array_equal(start["angles_rad"], file["exchange/theta"][()] * (np.pi / 180))
    assert start["pixel_size_um"] == 1.5
    assert "energy_kev" not in start
    assert (start["projection_count"], start["flat_count"], start["dark_count"]) == (181, 10, 10)
    assert start["detector_shape"] == [2, 640]


def test_an_nxtomo_file_in_the_order_it_was_taken(scan, listener, nxtomo):
    told = scan("--from-file", str(nxtomo))
    documents = [decoded(message, "pickle") for message in listener.messages_until_stops(told["uids"])]
    reader = Reader(documents)
    streams = {d["uid"]: d["name"] for name, d in documents if name == "descriptor"}
    order = [streams[document["descriptor"]] for name, document in documents if name == "event"]
    assert order == ["flat"] * 2 + ["dark"] * 2 + ["primary"] * 4 + ["flat", "dark"]
    with h5py.File(nxtomo) as file:
        frames = file["entry1/instrument/detector/data"][()]
    for stream, places in (("flat", [0, 1, 9]), ("dark", [2, 3, 10]), ("primary", [4, 5, 7, 8])):
        np.testing.assert_array_equal(np.stack(reader.streams[stream].pixels), frames[places])
        assert reader.streams[stream].pixels[0].dtype == np.dtype("<u2")
    np.testing.assert_allclose(
        reader.streams["primary"].rotation_deg, [89.995, 90.06, 90.17, 90.23], atol=1e-9
    )
    (start,) = reader.starts
    assert start["pixel_size_um"] == pytest.approx(0.65)
    assert start["energy_kev"] == pytest.approx(20.0)
    assert start["sample_name"] == "a sample"


@pytest.mark.parametrize(("plan", "order"), [("fxi", "dark primary flat"), ("htss", "flats darks primary")])
def test_another_plan_brings_the_roles_together(scan, listener, nxtomo, plan, order):
    told = scan("--from-file", str(nxtomo), "--plan", plan)
    documents = [decoded(message, "pickle") for message in listener.messages_until_stops(told["uids"])]
    wanted = order.split()
    names = [document["name"] for name, document in documents if name == "descriptor"]
    assert [name for name in names if name in wanted] == wanted
    reader = Reader(documents)
    assert [len(reader.streams[name].pixels) for name in wanted] == [
        4 if n == "primary" else 3 for n in wanted
    ]


def test_line_integrals_are_said_to_be_such(scan, listener, tmp_path):
    path = tmp_path / "integrals.h5"
    frames = np.random.default_rng(1).random((6, 1, 9)).astype(np.float32)
    with h5py.File(path, "w") as file:
        file["exchange/data"] = frames
        file["exchange/theta"] = np.linspace(0, 150, 6) + 46 * 360.0
    with pytest.raises(ValueError, match=r"no flats and no darks.*--line-integrals"):
        file_scene(path, Overrides())
    reader = played(scan, listener, "--from-file", str(path), "--line-integrals")
    np.testing.assert_array_equal(np.stack(reader.streams["primary"].pixels), frames)
    assert reader.starts[0]["frames_are_line_integrals"] is True
    assert set(reader.streams) == {"primary"}


def test_some_of_the_projections(scan, listener):
    reader = played(scan, listener, "--from-file", str(TOOTH), "--projections", "60", "--assets", "stream")
    places = np.arange(60) * 181 // 60
    with h5py.File(TOOTH) as file:
        np.testing.assert_array_equal(
            np.stack(reader.streams["primary"].pixels), file["exchange/data"][places]
        )
    assert len(reader.starts[0]["angles_rad"]) == 60


def test_a_scan_written_by_the_simulator_can_be_played(tmp_path, scan, listener):
    from simulators.imager import Imager
    from simulators.instruments import load_instrument
    from simulators.nxtomo import write_scan

    imager = Imager(load_instrument("anatomix"), "tiny", 3)
    path = write_scan(imager, tmp_path / "scan.h5", dark_count=2, flat_count=2)
    reader = played(scan, listener, "--from-file", str(path), "--assets", "stream", "--mode", "fly")
    (start,) = reader.starts
    assert start["pixel_size_um"] == pytest.approx(imager.pixel_um)
    assert start["energy_kev"] == pytest.approx(10.0)
    assert start["phase_shift_rad"] == pytest.approx(imager.phase_shift_rad)
    assert start["beamline"] == "anatomix"
    with h5py.File(path) as file:
        frames = file["entry/instrument/detector/data"][()]
        keys = file["entry/instrument/detector/image_key"][()]
    np.testing.assert_array_equal(np.stack(reader.streams["primary"].pixels), frames[keys == 0])
    np.testing.assert_array_equal(np.stack(reader.streams["flat"].pixels), frames[keys == 1])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda file: file.__delitem__("exchange/theta"), "no angles"),
        (lambda file: file["exchange/theta"].resize(180, axis=0), "181 projections but 180 angles"),
        (lambda file: file["exchange/theta"].attrs.modify("units", "furlong"), "has units 'furlong'"),
        (lambda file: file.__delitem__("exchange/data"), "neither DXchange"),
    ],
)
def test_files_that_cannot_be_played(tmp_path, change, message):
    path = tmp_path / "broken.h5"
    with h5py.File(TOOTH) as source, h5py.File(path, "w") as file:
        for name in ("data", "data_white", "data_dark"):
            source.copy(f"exchange/{name}", file.require_group("exchange"))
        file.create_dataset("exchange/theta", data=source["exchange/theta"][()], maxshape=(None,))
        file["exchange/theta"].attrs["units"] = "degrees"
        change(file)
    with pytest.raises(ValueError, match=message):
        read_scan_file(path)


def test_files_that_are_none(tmp_path, capsys):
    (tmp_path / "text.h5").write_text("hello")
    for path in (tmp_path / "text.h5", tmp_path / "missing.h5"):
        with pytest.raises(ValueError, match=path.name):
            read_scan_file(path)
    code = main(["--publish", "tcp://127.0.0.1:1", "--from-file", str(tmp_path / "missing.h5")])
    assert code == 2
    assert "missing.h5" in capsys.readouterr().err


def test_frames_of_the_same_angle_come_in_their_order():
    stack = np.arange(4, dtype=np.uint16).reshape(4, 1, 1)
    frames = StoredFrames(
        lambda role, number: stack[number],
        counts={"projection": 4},
        angles_rad=[0.5, 0.0, 0.5, 1.0],
        shape=(1, 1),
    )
    frames.prepare([0.0, 0.5, 1.0])
    taken = [int(frames.expose(angle_rad=angle, exposure=0)[0, 0]) for angle in (0.5, 0.0, 0.5 + 1e-9, 1.0)]
    assert taken == [0, 1, 2, 3]
    with pytest.raises(ValueError, match=r"no projection at 11\.459"):
        frames.expose(angle_rad=0.2, exposure=0)
    with pytest.raises(ValueError, match="has 0 flats"):
        frames.expose(angle_rad=0.0, sample_in=False, exposure=0)
