"""Frames are kept as they came, whatever came between them."""

from __future__ import annotations

import numpy as np
import pytest

from streamlcn.errors import ReconstructionFailed
from streamlcn.model import Frame, FrameKind
from streamlcn.reconstruction import _kept as kept


def test_frames_of_two_types_and_a_refused_one_leave_each_other_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kept, "BLOCK_BYTES", 100)  # four frames of 16-bit integers, two of floats
    random = np.random.default_rng(4)
    frames = [
        random.integers(0, 60_000, (3, 4)).astype(np.uint16 if i % 5 else np.float32) for i in range(13)
    ]
    kept_frames = kept.KeptFrames("s", (3, 4), None)
    for index, pixels in enumerate(frames):
        kind = FrameKind.PROJECTION
        bad = np.full((3, 4), np.nan, np.float32)
        with pytest.raises(ReconstructionFailed, match="holds nan"):
            kept_frames.put(Frame(kind=kind, index=index, angle_rad=0.1, pixels=bad))
        assert kept_frames.put(Frame(kind=kind, index=index, angle_rad=0.1, pixels=pixels))
        assert not kept_frames.put(Frame(kind=kind, index=index, angle_rad=0.1, pixels=pixels))
    for index, pixels in enumerate(frames):
        assert kept_frames.pixels(index).dtype == pixels.dtype
        np.testing.assert_array_equal(kept_frames.pixels(index), pixels)
