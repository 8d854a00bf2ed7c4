"""A volume comes back as it was written, from every format, whole and by slabs."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import tifffile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streamlcn.errors import BadInput
from streamlcn.files import create_volume, open_volume, read_volume, write_volume

SPECS = ["v.h5:/deep/volume", "plain.h5", "v.zarr", "group.zarr:/deep/volume", "v.npy", "v.tif", "slices/"]
VOLUME = np.random.default_rng(3).normal(size=(7, 4, 5)).astype(np.float32)


def at(folder: Path, spec: str) -> str:
    return f"{folder}/{spec}"


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int32", "float32", "float64"])
@pytest.mark.parametrize("spec", SPECS)
def test_a_volume_comes_back_with_its_voxel_size(tmp_path: Path, spec: str, dtype: str) -> None:
    volume = (VOLUME * 50).astype(dtype) if dtype[0] != "u" else np.abs(VOLUME * 50).astype(dtype)
    write_volume(at(tmp_path, spec), volume, 0.1879)
    found = read_volume(at(tmp_path, spec))
    np.testing.assert_array_equal(found, volume)
    assert found.dtype == volume.dtype
    with open_volume(at(tmp_path, spec)) as reader:
        assert reader.voxel_size_um == (None if spec.endswith(".npy") else 0.1879)
        assert reader.shape == volume.shape


@pytest.mark.parametrize("spec", SPECS)
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations([(0, 2), (2, 3), (3, 7)]), height=st.integers(1, 9))
def test_slabs_in_any_order_give_the_same(
    tmp_path: Path, spec: str, order: list[tuple[int, int]], height: int
) -> None:
    with create_volume(at(tmp_path, spec), VOLUME.shape, VOLUME.dtype, overwrite=True) as writer:
        for start, stop in order:
            writer.write(start, VOLUME[start:stop])
    with open_volume(at(tmp_path, spec)) as reader:
        slabs = list(reader.slabs(height))
    assert [start for start, _ in slabs] == list(range(0, 7, height))
    np.testing.assert_array_equal(np.concatenate([slab for _, slab in slabs]), VOLUME)


@pytest.mark.parametrize("spec", SPECS)
def test_nothing_is_overwritten_unasked(tmp_path: Path, spec: str) -> None:
    write_volume(at(tmp_path, spec), VOLUME)
    with pytest.raises(BadInput, match="exists already"):
        write_volume(at(tmp_path, spec), VOLUME + 1)
    np.testing.assert_array_equal(read_volume(at(tmp_path, spec)), VOLUME)
    write_volume(at(tmp_path, spec), VOLUME[:3] + 1, overwrite=True)
    np.testing.assert_array_equal(read_volume(at(tmp_path, spec)), VOLUME[:3] + 1)


@pytest.mark.parametrize("spec", SPECS)
def test_a_volume_that_is_not_finished_leaves_nothing(tmp_path: Path, spec: str) -> None:
    def interrupted() -> None:
        with create_volume(at(tmp_path, spec), VOLUME.shape, VOLUME.dtype) as writer:
            writer.write(0, VOLUME[:2])
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    with (
        pytest.raises(BadInput, match="5 slices were never written, the first is 2"),
        create_volume(at(tmp_path, spec), VOLUME.shape, VOLUME.dtype) as writer,
    ):
        writer.write(0, VOLUME[:2])
    assert [p for p in tmp_path.rglob("*") if p.is_file() and p.name != "zarr.json"] == []


def test_other_datasets_of_a_file_stay(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "scan.h5", "w") as file:
        file["exchange/data"] = VOLUME * 2
    write_volume(tmp_path / "scan.h5:/recon", VOLUME)
    np.testing.assert_array_equal(read_volume(tmp_path / "scan.h5:/exchange/data"), VOLUME * 2)
    np.testing.assert_array_equal(read_volume(tmp_path / "scan.h5:/recon"), VOLUME)
    with pytest.raises(BadInput, match=r"several volumes: say which, .*scan\.h5:/exchange/data"):
        read_volume(tmp_path / "scan.h5")


def test_what_other_programs_write_is_read(tmp_path: Path) -> None:
    imagej = tmp_path / "imagej.tif"
    tifffile.imwrite(
        imagej, VOLUME, imagej=True, resolution=(4.0, 4.0), metadata={"unit": "um", "axes": "ZYX"}
    )
    packed = tmp_path / "packed.tiff"
    tifffile.imwrite(packed, VOLUME, compression="zlib", photometric="minisblack")
    big_endian = tmp_path / "big.tif"
    tifffile.imwrite(big_endian, VOLUME, byteorder=">", photometric="minisblack")
    np.save(tmp_path / "fortran.npy", np.asfortranarray(VOLUME.astype(">f4")))
    with open_volume(imagej) as reader:
        assert reader.voxel_size_um == 0.25
        np.testing.assert_array_equal(reader.read(2, 5), VOLUME[2:5])
    for path in (packed, big_endian, tmp_path / "fortran.npy"):
        with open_volume(path) as reader:
            slab = reader.read(1, 4)
            assert slab.dtype == np.float32
            assert slab.flags.c_contiguous
            np.testing.assert_array_equal(slab, VOLUME[1:4])
            np.testing.assert_array_equal(reader.read(3, 3), VOLUME[3:3])


def test_a_folder_with_other_files_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "slices").mkdir()
    (tmp_path / "slices" / "notes.txt").write_text("keep me")
    with pytest.raises(BadInput, match=r"holds notes\.txt"):
        write_volume(at(tmp_path, "slices/"), VOLUME, overwrite=True)
    assert (tmp_path / "slices" / "notes.txt").read_text() == "keep me"


def test_slices_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number, image in zip((2, 10, 1), VOLUME[[1, 2, 0]], strict=True):
        tifffile.imwrite(tmp_path / f"s_{number}.tif", image)
    np.testing.assert_array_equal(read_volume(tmp_path), VOLUME[:3])
    tifffile.imwrite(tmp_path / "s_11.tif", VOLUME[0, :2])
    with pytest.raises(BadInput, match=r"s_11\.tif is float32 \(2, 5\), unlike s_1\.tif"):
        read_volume(tmp_path)


def test_dots_per_inch_for_paper_are_no_voxel_size(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "v.tif", VOLUME, resolution=(72, 72), resolutionunit="INCH")
    with open_volume(tmp_path / "v.tif") as reader:
        assert reader.voxel_size_um is None


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("none.npy", "does not exist"),
        ("v.png", "cannot tell what kind of volume"),
        ("two.npy", r"has shape \(4, 5\)"),
        ("complex.npy", "holds complex128"),
        ("objects.npy", "cannot be read as npy"),
        ("text.h5", "cannot be read as hdf5"),
        ("text.tif", "cannot be read as tiff"),
        ("empty/", r"holds no \.tif files"),
        ("group.h5:/nothing", "is not a dataset"),
        ("group.h5", "holds no array with three axes"),
    ],
)
def test_what_is_no_volume_is_refused(tmp_path: Path, spec: str, message: str) -> None:
    np.save(tmp_path / "two.npy", VOLUME[0])
    np.save(tmp_path / "complex.npy", VOLUME.astype(complex))
    np.save(tmp_path / "objects.npy", np.array([[["a", 1]]], object), allow_pickle=True)
    for name in ("text.h5", "text.tif"):
        (tmp_path / name).write_text("hello")
    (tmp_path / "empty").mkdir()
    with h5py.File(tmp_path / "group.h5", "w") as file:
        file["line"] = np.arange(3)
    with pytest.raises(BadInput, match=message):
        read_volume(at(tmp_path, spec))


def test_what_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"a volume is \(z, y, x\)"):
        write_volume(tmp_path / "v.npy", VOLUME[0])
    with pytest.raises(BadInput, match="voxel size is -1"):
        write_volume(tmp_path / "v.h5", VOLUME, -1.0)
    with pytest.raises(BadInput, match=r"folder .*none does not exist"):
        write_volume(tmp_path / "none" / "v.h5", VOLUME)
    with pytest.raises(BadInput, match="write uint8"):
        write_volume(tmp_path / "v.tif", VOLUME > 0)
    with create_volume(tmp_path / "v.npy", VOLUME.shape, VOLUME.dtype) as writer:
        with pytest.raises(BadInput, match="does not fit into"):
            writer.write(6, VOLUME[:2])
        with pytest.raises(BadInput, match="a block of float64"):
            writer.write(0, VOLUME.astype(float))
        writer.write(0, VOLUME)


@pytest.mark.parametrize("spec", SPECS)
def test_how_a_volume_was_made_stays_with_it(tmp_path: Path, spec: str) -> None:
    made = {"centre": {"pixels": 295.8}, "settings": {"rings": "none"}}
    with create_volume(at(tmp_path, spec), VOLUME.shape, VOLUME.dtype) as writer:
        writer.write(0, VOLUME)
        is_kept = writer.note(made)
    assert is_kept == spec.startswith(("v.h5", "plain.h5", "v.zarr", "group.zarr"))
    with open_volume(at(tmp_path, spec)) as reader:
        assert reader.provenance == (made if is_kept else {})


def test_voxels_that_are_not_cubic_have_no_one_size(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "confocal.tif", VOLUME, imagej=True, resolution=(5.0, 5.0),
        metadata={"unit": "um", "spacing": 0.6, "axes": "ZYX"},
    )  # fmt: skip
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["volume"] = VOLUME
        file["volume"].attrs["voxel_size_um"] = [0.6, 0.2, 0.2]
    for name in ("confocal.tif", "other.h5"):
        with open_volume(tmp_path / name) as reader:
            np.testing.assert_array_equal(reader.read(0, 7), VOLUME)
            with pytest.raises(BadInput, match=r"0\.6.*cubic"):
                _ = reader.voxel_size_um


@pytest.mark.parametrize("value", ["wide", 0.0, [0.1, -0.1, 0.1]])
def test_a_voxel_size_that_is_no_length_is_refused(tmp_path: Path, value: object) -> None:
    with h5py.File(tmp_path / "v.h5", "w") as file:
        file["volume"] = VOLUME
        file["volume"].attrs["voxel_size_um"] = value
    with pytest.raises(BadInput, match="voxel_size_um"):
        open_volume(tmp_path / "v.h5")
