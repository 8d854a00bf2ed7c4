"""What to label next."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from labelled_scenes import scene

from streamlcn.errors import BadInput
from streamlcn.files import write_volume
from streamlcn.segmentation import load_model
from streamlcn.training import TrainingSettings, as_proposed, finetune, propose_labels, read_labels, train
from streamlcn.training._data import read_scans
from streamlcn.training._propose import most_informative

NOTHING = np.empty(0, np.intp)


def test_the_most_ambiguous_comes_first_and_its_neighbours_do_not_follow() -> None:
    unsure = np.exp(-((np.arange(100.0) - 30) ** 2) / 50) + 0.2
    first, second, third = most_informative(unsure, 3, NOTHING)
    assert first == 30
    assert abs(second - first) > 5
    assert min(abs(third - first), abs(third - second)) > 5


@given(st.integers(1, 20), st.sets(st.integers(0, 39), max_size=15), st.integers(0, 99))
def test_slices_are_new_and_different(count: int, done: set[int], seed: int) -> None:
    unsure = np.random.default_rng(seed).random(40) * (seed % 2)
    chosen = most_informative(unsure, count, np.array(sorted(done), np.intp))
    assert len(set(chosen)) == count
    assert not set(chosen) & done
    assert all(0 <= z < 40 for z in chosen)


def test_more_slices_than_there_are_is_refused() -> None:
    with pytest.raises(BadInput, match="5 slices were asked for, 2 of 4"):
        most_informative(np.ones(4), 5, np.array([0, 3]))


def test_proposals_are_training_data_once_corrected(data: Path, tmp_path: Path) -> None:
    short = TrainingSettings(base=4, levels=2, patch_px=16, batch=4, epochs=1, steps_per_epoch=2)
    train(data, "unet", tmp_path / "m", settings=short, device="cpu")
    volume, truth = scene(40)
    known = np.full_like(truth, 255)
    known[4] = truth[4]
    chosen = propose_labels(volume, tmp_path / "m", tmp_path / "next", "bone", 3, known=known, device="cpu")
    scan = read_scans(tmp_path / "next")[0]
    assert scan.labelled_slices.tolist() == sorted([4, *chosen])
    np.testing.assert_array_equal(scan.volume, volume)
    np.testing.assert_array_equal(scan.labels[4], truth[4])
    guess = load_model(tmp_path / "m", device="cpu").segment(volume)
    np.testing.assert_array_equal(scan.labels[list(chosen)], guess[list(chosen)])
    finetune(tmp_path / "next", tmp_path / "m", tmp_path / "tuned", settings=short, device="cpu")


def test_labels_of_another_shape_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="known labels have shape"):
        propose_labels(scene(1)[0], tmp_path, tmp_path, "bone", 1, known=np.zeros((1, 2, 3), np.uint8))


def test_slices_that_nobody_corrected_are_told(data: Path, tmp_path: Path) -> None:
    short = TrainingSettings(base=4, levels=2, patch_px=16, batch=4, epochs=1, steps_per_epoch=2)
    train(data, "unet", tmp_path / "m", settings=short, device="cpu")
    chosen = propose_labels(scene(40)[0], tmp_path / "m", tmp_path / "next", "bone", 3, device="cpu")
    file = tmp_path / "next" / "bone.labels.tif"
    labels = read_labels(str(file))
    assert as_proposed(file, labels) == tuple(sorted(chosen))
    labels[chosen[0], 5, 5] = (labels[chosen[0], 5, 5] + 1) % 4
    write_volume(file, labels, overwrite=True)
    assert as_proposed(file, read_labels(str(file))) == tuple(sorted(chosen[1:]))
    file.with_name("bone.proposal.json").unlink()
    assert as_proposed(file, labels) == ()


def test_corrected_labels_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "bone.labels.tif").write_bytes(b"a week's work")
    with pytest.raises(BadInput, match="may have been corrected"):
        propose_labels(scene(1)[0], tmp_path, tmp_path, "bone", 1)
    assert (tmp_path / "bone.labels.tif").read_bytes() == b"a week's work"
