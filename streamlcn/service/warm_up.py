"""Compile what is compiled at first use, before a scan waits for it: ``python -m streamlcn.service.warm_up``.

The compiled code is cached on disk beside the sources (or in ``NUMBA_CACHE_DIR``), so later starts are quick.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from streamlcn.ports import Segmenter

__all__ = ["compile_kernels", "warm_up"]

_SIDE = 48


def warm_up(segmenter: Segmenter) -> None:
    """Compile the kernels and run the network once."""
    volume = compile_kernels()
    for _ in segmenter.segment(volume):
        pass


def compile_kernels() -> npt.NDArray[np.float32]:
    """Reconstruct and measure something tiny by the ways that real scans take; return the volume."""
    from streamlcn.morphometry import analyse
    from streamlcn.reconstruction import ReconstructionSettings, reconstruct

    angles = np.linspace(0, np.pi, 24, endpoint=False)
    frames = np.full((len(angles), 20, _SIDE), 40_000, np.uint16)
    frames[:, :, _SIDE // 2 - 8 : _SIDE // 2 + 9] = 20_000
    flats, darks = np.full((2, 20, _SIDE), 40_000, np.uint16), np.full((2, 20, _SIDE), 100, np.uint16)
    volume = reconstruct(frames, flats, darks, angles, settings=ReconstructionSettings())
    analyse(_bone(), 0.2)
    return volume


def _bone() -> npt.NDArray[np.uint8]:
    """Return two touching lacunae with canaliculi in a block of bone, (z, y, x) labels."""
    labels = np.ones((_SIDE, _SIDE, _SIDE), np.uint8)
    labels[:2] = 0
    z, y, x = np.mgrid[:_SIDE, :_SIDE, :_SIDE]
    for centre in (16, 31):
        labels[(z - 24) ** 2 + (y - 24) ** 2 + (x - centre) ** 2 <= 64] = 2
    labels[24, 4:44, 16] = labels[10:40, 24, 31] = labels[24, 24, 4:44] = 2
    labels[24, 44, 16:44] = 2
    labels[3:5] = 3
    labels[44:47, 4:7, 4:7] = 2  # an island
    return labels


if __name__ == "__main__":
    compile_kernels()
