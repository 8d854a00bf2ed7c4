from __future__ import annotations

import numpy as np
import numpy.typing as npt

from streamlcn.frames import FrameSettings, make_frame_reader
from streamlcn.model import InlineSource
from tests.frames.contract import FrameReaderContract, a_ref


class TestInline(FrameReaderContract):
    def hold(self, frames: npt.NDArray[np.generic]) -> list[InlineSource]:
        return [InlineSource(pixels=frame) for frame in frames]


def test_counts_pass_through_without_a_copy() -> None:
    pixels = np.frombuffer(bytes(range(24)), np.uint16).reshape(3, 4)  # read-only, as decoders give
    read = make_frame_reader(FrameSettings()).read(a_ref(InlineSource(pixels=pixels)))
    assert np.shares_memory(read, pixels)
