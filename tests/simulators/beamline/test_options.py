"""Wrong arguments are refused with exit code 2 and a word about the remedy, before anything is published."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from simulators.__main__ import main as simulators
from simulators.scan import main

NOWHERE = ("--publish", "tcp://127.0.0.1:1")


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        (("--plan", "hex", "--assets", "inline"), "--assets stream"),
        (("--plan", "htss", "--mode", "fly"), "--mode step"),
        (("--fault", "rain"), "choose one of no-flats"),
        (("--fault", "interleaved", "--plan", "fxi"), "--mode step"),
        (("--fault", "abort", "--scans", "2"), "leave --scans out"),
        (("--fault", "pause", "--mode", "fly"), "--mode step"),
        (("--fault", "missing-files"), "--assets resource or stream"),
        (("--fault", "flats-last", "--plan", "htss"), "--plan anatomix"),
        (("--real-time", "--period", "1"), "leave it out"),
        (("--from-file", "a.h5", "--set", "camera.photons=9"), "--set has no meaning"),
        (("--from-tiled", "http://127.0.0.1:1"), "--run UID"),
        (("--from-file", "a.h5", "--from-tiled", "http://127.0.0.1:1", "--run", "x"), "exclude each other"),
        (("--from-file", "a.h5", "--order", "golden"), "--order has no meaning"),
        (("--from-file", "a.h5", "--truth-out", "t.h5"), "--truth-out has no meaning"),
        (("--pixel-size-um", "1"), "add --from-file"),
        (("--truth-out", "truth.txt"), ".npz or .h5"),
        (("--period", "-1"), "negative"),
        (("--period", "nan"), "finite"),
        (("--projections", "0"), "1 or more"),
        (("--size", "huge"), "tiny"),
    ],
)
def test_contradictions(options, remedy, capsys):
    with pytest.raises(SystemExit) as end:
        main([*NOWHERE, *options])
    assert end.value.code == 2
    assert remedy in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "remedy"),
    [
        (("--instrument", "esrf"), "choose one of anatomix, p05"),
        (("--size", "tiny", "--fault", "drop:200"), "cannot drop 200 of 90"),
        (("--size", "tiny", "--set", "camera.photns=9"), "choose one of photons, electrons"),
        (("--publish", "127.0.0.1:5577", "--size", "tiny"), "tcp://HOST:PORT"),
        (("--from-tiled", "http://127.0.0.1:1", "--run", "x"), "cannot read the tiled catalogue"),
    ],
)
def test_what_only_turns_out_later(options, remedy, capsys, proxy):
    assert main(["--publish", proxy.inward, *options]) == 2
    printed = capsys.readouterr()
    assert remedy in printed.err
    assert "Traceback" not in printed.err
    assert printed.out == ""


def test_no_proxy(capsys):
    assert main([*NOWHERE, "--size", "tiny", "--projections", "4", "--wait", "0.2"]) == 1
    printed = capsys.readouterr()
    assert "no 0MQ proxy answers at tcp://127.0.0.1:1" in printed.err
    assert "bluesky-0MQ-proxy" in printed.err


def test_the_command_is_found_by_its_name(capsys):
    with pytest.raises(SystemExit) as end:
        simulators(["scan", "--help"])
    assert end.value.code == 0
    assert "--from-tiled" in capsys.readouterr().out


@pytest.mark.parametrize("suffix", [".npz", pytest.param(".h5", marks=pytest.mark.slow)])
def test_truth_is_written_beside_the_scan(scan, tmp_path, suffix):
    path = tmp_path / f"truth{suffix}"
    told = scan("--size", "tiny", "--projections", "4", "--truth-out", str(path))
    assert told["truth"] == str(path)
    if suffix == ".npz":
        with np.load(path) as truth:
            labels, porosity, voxel_um = truth["labels"], float(truth["porosity"]), float(truth["voxel_um"])
    else:
        with h5py.File(path) as truth:
            labels = truth["labels"][()]
            porosity, voxel_um = truth.attrs["porosity"], truth.attrs["voxel_um"]
    assert labels.dtype == np.uint8
    assert labels.shape == (48, 64, 64)
    assert set(np.unique(labels)) <= {0, 1, 2, 3}
    lcn, bone = np.sum(labels == 2), np.sum((labels == 1) | (labels == 3))
    assert porosity == pytest.approx(lcn / (lcn + bone), rel=0.02)
    assert voxel_um == pytest.approx(0.282)


def test_the_manual_names_every_plan_fault_and_option():
    from simulators.faults import FAULT_NAMES
    from simulators.options import scan_parser
    from simulators.plan_shapes import SHAPES

    page = (Path(__file__).parents[3] / "docs" / "beamline.md").read_text()
    assert [name for name in (*FAULT_NAMES, *SHAPES) if f"`{name}`" not in page] == []
    options = [
        word for action in scan_parser()._actions for word in action.option_strings if word[:2] == "--"
    ]
    told_by_help = {
        "--help",
        "--wait",
        "--prefix",
        "--tiled-key",
        "--seed",
        "--size",
        "--flats",
        "--darks",
        "--scans",
    }
    assert [word for word in options if word not in told_by_help and word not in page] == []
