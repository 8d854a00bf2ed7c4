from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
import pytest

from streamlcn.errors import UnreadableFrame
from streamlcn.frames import FrameSettings, make_frame_reader
from streamlcn.model import FileSource
from streamlcn.ports import FrameReader
from tests.frames.contract import Clock, FrameReaderContract, a_ref


class FilesContract(FrameReaderContract):
    swmr = False

    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def hold(self, frames: npt.NDArray[np.generic]) -> list[FileSource]:
        path = self.folder / "frames.h5"
        with h5py.File(path, "w", libver="latest" if self.swmr else None) as file:
            file["entry/data"] = frames
        return [
            FileSource(path=path, dataset="entry/data", index=index, swmr=self.swmr)
            for index in range(len(frames))
        ]


class TestAtRest(FilesContract):
    pass


class TestSwmr(FilesContract):
    swmr = True


def reader_of(clock: Clock, **settings: object) -> FrameReader:
    values = {"timeout_s": 1.0, "poll_s": 0.25, **settings}
    return make_frame_reader(FrameSettings.model_validate(values), clock=clock, sleep=clock.sleep)


def test_events_that_hold_several_frames_are_counted_through(tmp_path: Path) -> None:
    frames = np.arange(2 * 3 * 4 * 5, dtype=np.uint16).reshape(2, 3, 4, 5)
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file["d"] = frames
    reader = reader_of(Clock())
    pixels = reader.read(a_ref(FileSource(path=tmp_path / "f.h5", dataset="d", index=4, swmr=False)))
    reader.close()
    np.testing.assert_array_equal(pixels, frames[1, 1])


def test_a_frame_that_never_comes_is_named_with_all_there_is_to_know(tmp_path: Path) -> None:
    path, clock = tmp_path / "f.h5", Clock()
    with h5py.File(path, "w") as file:
        file["d"] = np.ones((3, 4, 5), np.uint16)
    reader = reader_of(clock)
    with pytest.raises(UnreadableFrame) as caught:
        reader.read(a_ref(FileSource(path=path, dataset="d", index=3, swmr=False), index=9))
    reader.close()
    message = str(caught.value)
    assert f"scan u1: projection 9 should be frame 3 of {path}:d, but after 1.0 s: " in message
    assert "it has 3 frames" in message
    assert (clock.now, clock.sleeps) == (101.0, 4)


@pytest.mark.parametrize(
    ("dataset", "message"),
    [("none", r"object 'none' doesn't exist"), ("group", "is a group"), ("line", r"shape \(7,\)")],
)
def test_a_wrong_dataset_is_refused(tmp_path: Path, dataset: str, message: str) -> None:
    with h5py.File(tmp_path / "f.h5", "w") as file:
        file.create_group("group")
        file["line"] = np.arange(7)
    reader = reader_of(Clock())
    with pytest.raises(UnreadableFrame, match=message):
        reader.read(a_ref(FileSource(path=tmp_path / "f.h5", dataset=dataset, index=0)))
    reader.close()


def test_room_that_was_never_written_is_no_frame(tmp_path: Path) -> None:
    path, clock = tmp_path / "f.h5", Clock()
    with h5py.File(path, "w") as file:
        data = file.create_dataset("d", (3, 4, 5), "u2", chunks=(1, 4, 5))
        data[0] = 1
    source = FileSource(path=path, dataset="d", index=2, swmr=False)
    reader = reader_of(clock)
    with pytest.raises(UnreadableFrame, match="was not written"):
        reader.read(a_ref(source))

    def write() -> None:  # elsewhere: HDF5 refuses one process two modes of opening
        code = f"import h5py; f = h5py.File({str(path)!r}, 'a'); f['d'][2] = 5; f.close()"
        subprocess.run([sys.executable, "-c", code], check=True)

    clock.events[clock.sleeps + 2] = write
    assert reader.read(a_ref(source)).tolist() == np.full((4, 5), 5).tolist()
    reader.close()


def test_a_file_that_appears_late_is_waited_for(tmp_path: Path) -> None:
    path, clock = tmp_path / "f.h5", Clock()

    def write() -> None:
        with h5py.File(path, "w") as file:
            file["d"] = np.full((1, 2, 2), 3, np.uint16)

    clock.events[3] = write
    reader = reader_of(clock)
    assert reader.read(a_ref(FileSource(path=path, dataset="d", index=0))).tolist() == [[3, 3], [3, 3]]
    assert clock.sleeps == 3
    reader.close()


def test_few_files_stay_open(tmp_path: Path) -> None:
    sources = []
    for number in range(5):
        with h5py.File(tmp_path / f"{number}.h5", "w") as file:
            file["d"] = np.full((1, 2, 2), number, np.uint16)
        path = tmp_path / f"{number}.h5"
        sources.append(FileSource(path=path, dataset="d", index=0, swmr=False))
    reader = reader_of(Clock(), open_files=2)
    for number, source in [*enumerate(sources), *enumerate(sources)]:
        assert reader.read(a_ref(source)).tolist() == [[number, number]] * 2
        assert len(_open_hdf5_files(tmp_path)) <= 2
    reader.close()
    assert _open_hdf5_files(tmp_path) == []


def _open_hdf5_files(folder: Path) -> list[str]:
    links = []
    for entry in Path("/proc/self/fd").iterdir():
        try:
            links.append(str(entry.readlink()))
        except FileNotFoundError:  # the listing's own
            continue
    return [link for link in links if link.startswith(str(folder))]
