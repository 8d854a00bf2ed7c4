"""A real writer in another process, read while it writes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from streamlcn.errors import UnreadableFrame
from streamlcn.frames import FrameSettings, make_frame_reader
from streamlcn.model import FileSource
from tests.frames.contract import a_ref

WRITER = Path(__file__).with_name("writer.py")


class Writer:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def write_frame(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("next\n")
        self._process.stdin.flush()
        assert self.answer().isdigit()


@contextmanager
def writing(path: Path, mode: str, chunk: int) -> Iterator[Writer]:
    command = [sys.executable, str(WRITER), str(path), mode, str(chunk)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        writer = Writer(process)
        assert writer.answer() == "ready"
        yield writer
    assert process.returncode == 0


@pytest.mark.parametrize("says_swmr", [True, False])
@pytest.mark.parametrize(
    ("mode", "chunk"),
    [
        ("swmr", 1),
        ("swmr", 4),
        ("open", 1),
        ("open", 4),
        ("reopen", 1),
        ("reopen", 4),
        ("reopen latest", 1),
        ("reopen latest", 4),
    ],
)
def test_each_frame_can_be_read_once_it_is_announced(
    tmp_path: Path, mode: str, chunk: int, says_swmr: bool
) -> None:
    path = tmp_path / "f.h5"
    reader = make_frame_reader(FrameSettings(timeout_s=20.0))
    with writing(path, mode, chunk) as writer:
        for index in range(9):
            writer.write_frame()
            source = FileSource(path=path, dataset="d", index=index, swmr=says_swmr)
            np.testing.assert_array_equal(reader.read(a_ref(source, index)), np.full((8, 9), index + 1))
    for index in range(9):
        source = FileSource(path=path, dataset="d", index=index, swmr=says_swmr)
        assert reader.read(a_ref(source, index))[0, 0] == index + 1
    reader.close()


def test_a_frame_not_yet_there_comes_when_the_writer_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "f.h5"
    with writing(path, "swmr", 1) as writer:
        reader = make_frame_reader(FrameSettings(timeout_s=60.0), sleep=lambda _seconds: writer.write_frame())
        source = FileSource(path=path, dataset="d", index=3)
        assert reader.read(a_ref(source))[0, 0] == 4
        reader.close()


def test_without_swmr_by_order_a_frame_is_found_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "f.h5"
    reader = make_frame_reader(FrameSettings(swmr="never", timeout_s=0.0))
    with writing(path, "reopen", 1) as writer:
        writer.write_frame()
        source = FileSource(path=path, dataset="d", index=0, swmr=True)
        assert reader.read(a_ref(source))[0, 0] == 1
        with pytest.raises(UnreadableFrame, match="it has 1 frames"):
            reader.read(a_ref(FileSource(path=path, dataset="d", index=1, swmr=True), 1))
    reader.close()
