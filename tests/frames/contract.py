"""What every reader of frames promises, whatever holds the pixels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import numpy as np
import numpy.typing as npt
import pytest

from streamlcn.errors import UnreadableFrame
from streamlcn.frames import FrameSettings, make_frame_reader
from streamlcn.model import FileSource, FrameKind, FrameRef, InlineSource
from streamlcn.ports import FrameReader


class Clock:
    """Time that passes only by sleeping; ``events`` happen at the n-th sleep."""

    def __init__(self) -> None:
        self.now, self.sleeps = 100.0, 0
        self.events: dict[int, object] = {}

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.sleeps += 1
        event = self.events.pop(self.sleeps, None)
        if callable(event):
            event()


def a_ref(source: InlineSource | FileSource, index: int = 0) -> FrameRef:
    return FrameRef(scan_uid="u1", kind=FrameKind.PROJECTION, index=index, angle_rad=0.0, source=source)


class FrameReaderContract:
    """Subclasses give ``hold``: put frames (index, row, column) somewhere and say where."""

    def hold(self, frames: npt.NDArray[np.generic]) -> list[InlineSource] | list[FileSource]:
        raise NotImplementedError

    @pytest.fixture
    def reader(self) -> Iterator[FrameReader]:
        clock = Clock()
        settings = FrameSettings(timeout_s=1.0, poll_s=0.25)
        with closing(make_frame_reader(settings, clock=clock, sleep=clock.sleep)) as reader:
            yield reader

    @pytest.mark.parametrize(
        ("stored", "read"),
        [
            ("uint8", "uint16"), ("uint16", "uint16"), (">u2", "uint16"), ("int16", "float32"),
            ("int32", "float32"), ("float32", "float32"), ("float64", "float32"), (">f4", "float32"),
        ],
    )  # fmt: skip
    def test_pixels_keep_their_values(self, reader: FrameReader, stored: str, read: str) -> None:
        frames = np.random.default_rng(0).integers(0, 200, (4, 5, 6)).astype(stored)
        for index, source in reversed(list(enumerate(self.hold(frames)))):
            pixels = reader.read(a_ref(source, index))
            assert pixels.dtype == read
            assert pixels.flags.c_contiguous
            np.testing.assert_array_equal(pixels, frames[index])

    def test_an_axis_of_length_one_is_dropped(self, reader: FrameReader) -> None:
        frames = np.arange(24, dtype=np.uint16).reshape(2, 1, 3, 4)
        for index, source in enumerate(self.hold(frames)):
            np.testing.assert_array_equal(reader.read(a_ref(source, index)), frames[index, 0])

    @pytest.mark.parametrize(
        ("frames", "message"),
        [
            (np.zeros((1, 4, 5), np.complex64), r"projection 0.* holds complex64"),
            (np.zeros((1, 0, 5), np.uint16), r"projection 0.* has shape \(0, 5\)"),
        ],
    )
    def test_what_is_no_image_is_refused(
        self, reader: FrameReader, frames: npt.NDArray[np.generic], message: str
    ) -> None:
        (source,) = self.hold(frames)
        with pytest.raises(UnreadableFrame, match=message):
            reader.read(a_ref(source))

    def test_close_may_be_called_twice(self, reader: FrameReader) -> None:
        (source,) = self.hold(np.ones((1, 2, 2), np.uint16))
        reader.read(a_ref(source))
        reader.close()
        reader.close()
