"""Detector files can be read while they grow, in the way that each kind of file allows."""

from __future__ import annotations

import h5py
import numpy as np

from simulators.frame_file import DATASET, TIMESTAMPS, FrameFile

FRAMES = np.arange(3 * 4 * 5, dtype=np.uint16).reshape(3, 4, 5)


def test_a_reader_of_a_swmr_file_sees_every_frame_as_it_comes(tmp_path):
    file = FrameFile(tmp_path / "frames.h5", (4, 5), np.uint16)
    with h5py.File(file.path, "r", swmr=True, libver="latest") as reader:
        dataset = reader[DATASET]
        for number, frame in enumerate(FRAMES):
            assert file.append(frame, 10.0 + number) == number + 1
            dataset.refresh()
            np.testing.assert_array_equal(dataset[()], FRAMES[: number + 1])
    file.close()
    with h5py.File(file.path) as reader:
        np.testing.assert_array_equal(reader[TIMESTAMPS][()], [10.0, 11.0, 12.0])
        assert reader[DATASET].chunks == (1, 4, 5)


def test_a_reader_of_a_plain_file_must_open_it_again(tmp_path):
    file = FrameFile(tmp_path / "frames.h5", (4, 5), np.uint16, swmr=False)
    for number, frame in enumerate(FRAMES):
        file.append(frame, 0.0)
        with h5py.File(file.path, "r", locking=False) as reader:
            np.testing.assert_array_equal(reader[DATASET][()], FRAMES[: number + 1])
    file.close()


def test_numbers_can_be_recorded_as_well(tmp_path):
    file = FrameFile(tmp_path / "angles.h5", (), np.float64)
    for angle in (0.0, 1.5, 3.0):
        file.append(np.asarray(angle), 0.0)
    file.close()
    with h5py.File(file.path) as reader:
        np.testing.assert_array_equal(reader[DATASET][()], [0.0, 1.5, 3.0])
