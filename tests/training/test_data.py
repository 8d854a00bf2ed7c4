"""Folders of training data: what fits is read, what does not is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from labelled_scenes import scene, write

from streamlcn.errors import BadInput
from streamlcn.files import write_volume
from streamlcn.training._data import list_scans, read_scans
from streamlcn.training._split import split_scans
from streamlcn.training.settings import SplitSettings


def test_one_file_and_a_pair_hold_the_same_scan(tmp_path: Path) -> None:
    volume, labels = scene(1)
    write(tmp_path / "one.h5", volume, labels)
    write_volume(tmp_path / "two.volume.npy", volume)
    write_volume(tmp_path / "two.labels.tif", labels)
    one, two = read_scans(tmp_path)
    assert (one.name, two.name) == ("one", "two")
    np.testing.assert_array_equal(one.volume, two.volume)
    np.testing.assert_array_equal(one.labels, two.labels)
    assert one.sha256 == two.sha256
    assert (one.voxel_size_um, two.voxel_size_um) == (0.25, None)


def test_slices_that_nobody_labelled_are_not_counted(tmp_path: Path) -> None:
    volume, labels = scene(1)
    labels[[0, 3, 9]] = 255
    write(tmp_path / "one.h5", volume, labels)
    assert read_scans(tmp_path)[0].labelled_slices.tolist() == [1, 2, 4, 5, 6, 7, 8]


def test_a_folder_that_is_none_or_empty_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is no folder"):
        list_scans(tmp_path / "nowhere")
    with pytest.raises(BadInput, match=r"NAME\.h5"):
        list_scans(tmp_path)


def test_a_volume_without_labels_is_named(tmp_path: Path) -> None:
    write_volume(tmp_path / "two.volume.npy", scene(1)[0])
    with pytest.raises(BadInput, match=r"two\.labels"):
        list_scans(tmp_path)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda v, t: (v, t[:-1]), "one grid"),
        (lambda v, t: (v, t + 4), "holds label"),
        (lambda v, t: (v, t.astype(np.float32)), "whole numbers"),
        (lambda v, t: (np.where(t == 2, np.nan, v), t), "not numbers"),
    ],
)
def test_labels_that_do_not_fit_are_refused(tmp_path: Path, spoil: object, words: str) -> None:
    write(tmp_path / "one.h5", *spoil(*scene(1)))  # type: ignore[operator]
    with pytest.raises(BadInput, match=words):
        read_scans(tmp_path)


@pytest.mark.parametrize("by", ["scans", "blocks", "slices"])
def test_nothing_is_learnt_from_what_is_held_out(data: Path, by: str) -> None:
    scans = read_scans(data)
    split = split_scans(scans, SplitSettings(by=by), seed=3)  # type: ignore[arg-type]
    for scan in scans:
        assert not set(split.training[scan.name]) & set(split.held_out[scan.name])
    assert split.by == by
    held_out = sum(len(z) for z in split.held_out.values())
    assert held_out == {"scans": 10, "blocks": 12, "slices": 12}[by]


def test_blocks_keep_their_gap(data: Path) -> None:
    split = split_scans(read_scans(data), SplitSettings(by="blocks", gap=2), seed=3)
    for name, z in split.training.items():
        assert split.held_out[name][0] - z[-1] == 3, "two slices lie between"


def test_two_volumes_of_one_bone_are_held_out_together(data: Path) -> None:
    for seed in range(6):
        write(data / f"bone{seed}_m2.h5", *scene(seed))
    split = split_scans(read_scans(data), SplitSettings(), seed=3)
    out = [name for name, z in split.held_out.items() if len(z)]
    assert split.by == "scans"
    assert len(out) == 2
    assert len({name.split("_")[0] for name in out}) == 1


def test_a_single_labelled_slice_cannot_be_split(tmp_path: Path) -> None:
    volume, labels = scene(1)
    labels[1:] = 255
    write(tmp_path / "one.h5", volume, labels)
    with pytest.raises(BadInput, match="nothing is left for training"):
        split_scans(read_scans(tmp_path), SplitSettings(by="blocks"), seed=0)
