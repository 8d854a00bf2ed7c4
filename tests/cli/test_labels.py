"""Volume to labels, labels to numbers."""

from __future__ import annotations

import csv
from dataclasses import asdict
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import pytest

from streamlcn.files import create_volume, open_volume, read_volume, write_volume
from streamlcn.morphometry import measure
from streamlcn.segmentation import load_model
from tests.cli.running import call, call_process

VOXEL_UM = 0.5


@pytest.fixture
def labels() -> npt.NDArray[np.uint8]:
    """A block of bone in air with a lacuna of 7 x 7 x 9 voxels and a straight canaliculus."""
    volume = np.zeros((24, 26, 28), np.uint8)
    volume[2:22, 2:24, 2:26] = 1
    volume[8:15, 9:16, 10:19] = 2
    volume[11:13, 12:14, 3:24] = 2
    return volume


@pytest.fixture
def bundle(tmp_path: Path, labelled: Path) -> Path:
    """A network after six steps: it need not be good."""
    small = [word for change in ("base=4", "levels=2", "patch_px=16", "batch=4", "steps_per_epoch=6")
             for word in ("--set", change)]  # fmt: skip
    outcome = call("train", labelled, "--model", "unet", "--out", tmp_path / "model", "--epochs", 1, *small)
    assert outcome.status == 0, outcome.err
    return tmp_path / "model"


def test_labels_are_those_of_the_library_and_know_their_volume(tmp_path: Path, bundle: Path) -> None:
    volume = np.random.default_rng(2).normal(0.5, 0.3, (5, 30, 28)).astype(np.float32)
    with create_volume(tmp_path / "v.h5", volume.shape, np.float32, voxel_size_um=0.25) as writer:
        writer.write(0, volume)
        writer.note({"file": "scan.nxs"})
    outcome = call(
        "segment", tmp_path / "v.h5", "--model", bundle, "--out", f"{tmp_path}/v.h5:/labels", "--json"
    )
    assert outcome.status == 0, outcome.err
    found = read_volume(f"{tmp_path}/v.h5:/labels")
    np.testing.assert_array_equal(found, load_model(bundle).segment(volume))
    assert found.dtype == np.uint8
    told = outcome.json
    assert told["voxels"]["lcn"] == np.count_nonzero(found == 2)
    sure = load_model(bundle).porosity(volume)
    told_of = {key.removeprefix("porosity_"): value for key, value in told["uncertainty"].items()}
    assert told_of == (dict.fromkeys(("expected", "low", "high")) if sure is None else asdict(sure))
    assert told["model"]["sha256"] == load_model(bundle).manifest.weights_sha256
    with open_volume(f"{tmp_path}/v.h5:/labels") as mask:
        assert mask.voxel_size_um == 0.25
        assert mask.provenance["volume"] == {"file": "scan.nxs"}
        assert mask.provenance["model"]["sha256"] == told["model"]["sha256"]
    np.testing.assert_array_equal(read_volume(f"{tmp_path}/v.h5:/volume"), volume)


def test_a_volume_of_other_voxels_than_the_model_knows_is_said(tmp_path: Path, bundle: Path) -> None:
    write_volume(tmp_path / "v.npy", np.random.default_rng(2).normal(size=(3, 20, 20)).astype(np.float32))
    words = ["segment", tmp_path / "v.npy", "--model", bundle, "--force", "--out", tmp_path / "m.npy"]
    assert "nobody says how large a voxel is" in call(*words).err
    assert "a voxel is 0.6 um, the model was trained on 0.25" in call(*words, "--voxel-size-um", 0.6).err
    assert "warning" not in call(*words, "--voxel-size-um", 0.25).err


def test_no_bundle_no_labels(tmp_path: Path) -> None:
    write_volume(tmp_path / "v.npy", np.ones((3, 20, 20), np.float32))
    outcome = call("segment", tmp_path / "v.npy", "--model", tmp_path, "--out", tmp_path / "m.npy")
    assert outcome.status == 2
    assert "is no model bundle" in outcome.err
    assert not (tmp_path / "m.npy").exists()


@pytest.mark.parametrize("name", ["m.h5", "m.zarr", "m.tif"])
def test_numbers_are_those_of_the_library(tmp_path: Path, labels: npt.NDArray[np.uint8], name: str) -> None:
    write_volume(tmp_path / name, labels, VOXEL_UM)
    outcome = call("measure", tmp_path / name, "--json", "--csv", tmp_path / "rows.csv")
    assert outcome.status == 0, outcome.err
    told = outcome.json
    expected = measure(labels, VOXEL_UM).model_dump(mode="json")
    assert {key: told[key] for key in expected} == expected
    assert told["lacunae"]["count"] == 1
    with (tmp_path / "rows.csv").open(encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert float(row["volume_um3"]) == pytest.approx(told["lacunae"]["volume_um3"])


def test_what_is_said_goes_before_what_the_file_says(tmp_path: Path, labels: npt.NDArray[np.uint8]) -> None:
    write_volume(tmp_path / "m.h5", labels, VOXEL_UM)
    outcome = call("measure", tmp_path / "m.h5", "--voxel-size-um", 1.0, "--json")
    assert outcome.json["voxel_size_um"] == 1.0
    assert "says that its voxels are 0.5 um; 1 um is taken" in outcome.err
    assert call("measure", tmp_path / "m.h5", "--voxel-size-um", 0.5, "--json").err == ""


def test_masks_labelled_otherwise_are_mapped(tmp_path: Path, labels: npt.NDArray[np.uint8]) -> None:
    values = np.array([0, 128, 255], np.uint16)[labels]
    write_volume(tmp_path / "m.tif", values, VOXEL_UM)
    refused = call("measure", tmp_path / "m.tif")
    assert refused.status == 2
    assert "128" in refused.err
    mapped = call("measure", tmp_path / "m.tif", "--classes", "bone=128,lcn=255", "--json").json
    assert mapped["lcn"] == measure(labels, VOXEL_UM).model_dump(mode="json")["lcn"]


def test_unequal_edges_and_unknown_sizes_are_refused(tmp_path: Path, labels: npt.NDArray[np.uint8]) -> None:
    write_volume(tmp_path / "m.npy", labels)
    with h5py.File(tmp_path / "flat.h5", "w") as file:
        file["labels"] = labels
        file["labels"].attrs["voxel_size_um"] = [0.6, 0.2, 0.2]
    for words, said in (
        (["m.npy"], "does not say how large its voxels are: give --voxel-size-um"),
        (["m.npy", "--voxel-size-um", "0.2,0.2,0.6"], "not cubic"),
        (["m.npy", "--voxel-size-um", "-1"], "one length above 0"),
        (["m.npy", "--voxel-size-um", "wide"], "not a number of micrometres"),
        (["m.npy", "--voxel-size-um", "1", "--classes", "bone:1"], "is not NAME=VALUE"),
        (["m.npy", "--voxel-size-um", "1", "--classes", "bone=1,nerve=2"], "no class 'nerve'"),
        (["m.npy", "--voxel-size-um", "1", "--classes", "bone=1,lcn=1"], "one value to two names"),
        (["m.npy", "--voxel-size-um", "1", "--classes", "bone=2,lcn=9"], "holds the value 1"),
        (["m.npy", "--voxel-size-um", "1", "--figure", "f.docx"], "a figure is one of"),
        (["m.npy", "--voxel-size-um", "1", "--csv", "/nowhere/rows.csv"], "/nowhere does not exist"),
        (["flat.h5"], "0.6 x 0.2 x 0.2"),
        (["absent.h5"], "does not exist"),
    ):
        outcome = call("measure", tmp_path / words[0], *words[1:])
        assert (outcome.status, outcome.out) == (2, ""), words
        assert said in outcome.err
    assert (
        call("measure", tmp_path / "flat.h5", "--voxel-size-um", "0.2", "--json").json["voxel_size_um"] == 0.2
    )


def test_in_a_process_of_its_own_stdout_is_json_and_a_figure_is_drawn(
    tmp_path: Path, labels: npt.NDArray[np.uint8]
) -> None:
    write_volume(tmp_path / "m.h5", labels, VOXEL_UM)
    outcome = call_process("measure", tmp_path / "m.h5", "--json", "--figure", tmp_path / "page.png")
    assert outcome.status == 0, outcome.err
    assert outcome.json["lcn"]["porosity"] == measure(labels, VOXEL_UM).lcn.porosity
    assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")


def test_people_get_a_table_and_its_flags(tmp_path: Path, labels: npt.NDArray[np.uint8]) -> None:
    write_volume(tmp_path / "m.h5", labels, VOXEL_UM)
    outcome = call("measure", tmp_path / "m.h5")
    assert "lcn.porosity" in outcome.out
    assert "warning: few_lacunae" in outcome.err
