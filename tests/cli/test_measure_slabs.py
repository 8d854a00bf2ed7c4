"""The command measures by slabs: the numbers are those of the whole, the memory is not."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import pytest
import tifffile

from streamlcn.cli import _measure
from streamlcn.files import VolumeReader, open_volume, write_volume
from streamlcn.morphometry import analyse, measure, write_lacunae_csv
from tests.cli.running import call
from tests.morphometry.network_phantom import network_phantom

VOXEL_UM = 0.25
FORMATS = ["m.h5", "deep.h5", "m.zarr", "m.npy", "fortran.npy", "m.tif", "packed.tif", "slices/"]


@pytest.fixture(scope="module")
def labels() -> npt.NDArray[np.uint8]:
    """Simulated bone with two lacunae and their canaliculi."""
    return network_phantom((60, 110, 110), VOXEL_UM, 2, 12, seed=4).labels.astype(np.uint8)


def store(path: str, labels: npt.NDArray[np.generic]) -> str:
    """Write labels as ``path`` says: also as other programs do, in deep chunks or packed."""
    name = Path(path).name
    if name == "deep.h5":
        with h5py.File(path, "w") as file:
            file.create_dataset("labels", data=labels, chunks=(16, 32, 32), compression="gzip")
    elif name == "fortran.npy":
        np.save(path, np.asfortranarray(labels))
    elif name == "packed.tif":
        tifffile.imwrite(path, labels, compression="zlib", photometric="minisblack")
    else:
        write_volume(path, labels)
    return path


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many slices each reading of a volume asks for."""
    heights: list[int] = []
    read = VolumeReader.read

    def counted(self: VolumeReader, start: int, stop: int) -> npt.NDArray[np.generic]:
        heights.append(stop - start)
        return read(self, start, stop)

    monkeypatch.setattr(VolumeReader, "read", counted)
    return heights


def slabs_of(monkeypatch: pytest.MonkeyPatch, height: int, volume: npt.NDArray[np.generic]) -> None:
    monkeypatch.setattr(_measure, "_SLAB_VOXELS", height * volume[0].size)


@pytest.mark.parametrize("name", FORMATS)
def test_slabs_of_every_format_give_the_numbers_of_the_whole(
    tmp_path: Path,
    labels: npt.NDArray[np.uint8],
    name: str,
    asked: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slabs_of(monkeypatch, 7, labels)
    path = store(f"{tmp_path}/{name}", labels)
    outcome = call("measure", path, "--voxel-size-um", VOXEL_UM, "--json", "--csv", tmp_path / "slabs.csv")
    assert outcome.status == 0, outcome.err
    told = {key: value for key, value in outcome.json.items() if key not in ("file", "provenance")}
    assert told == measure(labels, VOXEL_UM).model_dump(mode="json")
    assert told["lacunae"]["count"] == 2
    assert max(asked) == 7 + 2
    write_lacunae_csv(analyse(labels, VOXEL_UM), tmp_path / "whole.csv")
    assert (tmp_path / "slabs.csv").read_bytes() == (tmp_path / "whole.csv").read_bytes()


def peak_bytes(task: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        task()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", FORMATS)
def test_no_reader_holds_more_than_a_slab_and_its_chunks(tmp_path: Path, name: str) -> None:
    volume = np.ones((400, 256, 256), np.uint8)
    path = store(f"{tmp_path}/{name}", volume)
    with open_volume(path) as reader:
        reader.read(0, 1)  # what is loaded once
        assert (
            peak_bytes(lambda: [reader.read(z, z + 4)[0, 0, 0] for z in range(0, 400, 4)]) < volume.nbytes / 2
        )


def test_memory_of_the_command_is_that_of_slabs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    volume = np.ones((300, 320, 320), np.uint8)
    volume[:, 150:170, 150:170] = 2
    slabs_of(monkeypatch, 4, volume)
    words = ("--voxel-size-um", VOXEL_UM, "--json")
    call("measure", store(f"{tmp_path}/first.npy", volume[:40]), *words)  # compiles
    path = store(f"{tmp_path}/m.npy", volume)
    assert peak_bytes(lambda: call("measure", path, *words)) < volume.nbytes


def test_masks_labelled_otherwise_are_mapped_by_slabs(
    tmp_path: Path, labels: npt.NDArray[np.uint8], asked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    slabs_of(monkeypatch, 7, labels)
    path = store(f"{tmp_path}/m.npy", np.array([0.0, 128.0, 255.0], np.float32)[labels])
    outcome = call("measure", path, "--voxel-size-um", VOXEL_UM, "--classes", "bone=128,lcn=255", "--json")
    assert outcome.json["lcn"] == measure(labels, VOXEL_UM).model_dump(mode="json")["lcn"]
    assert max(asked) == 7 + 2


@pytest.mark.parametrize(
    ("volume", "message"),
    [
        (np.ones((30, 9, 9), np.float32), "float32, not an integer type"),
        (np.repeat(np.uint8([1, 7]), 15).repeat(81).reshape(30, 9, 9), "holds value(s) [7]"),
        (np.zeros((30, 9, 9), np.uint8), "no voxel of the label volume is bone"),
        (np.full((30, 9, 9), 2, np.int16), "no voxel of the label volume is bone"),
    ],
)
def test_what_is_no_label_volume_is_refused_wherever_it_lies(
    tmp_path: Path, volume: npt.NDArray[np.generic], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    slabs_of(monkeypatch, 4, volume)
    outcome = call("measure", store(f"{tmp_path}/m.npy", volume), "--voxel-size-um", 1)
    assert (outcome.status, outcome.out) == (2, "")
    assert message in outcome.err


def test_a_stack_in_one_page_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "m.tif", np.ones((32, 32, 32), np.uint8), volumetric=True, tile=(16, 16, 16),
        compression="zlib", photometric="minisblack",
    )  # fmt: skip
    outcome = call("measure", tmp_path / "m.tif", "--voxel-size-um", 1)
    assert outcome.status == 2
    assert "32 slices in 1 page" in outcome.err
