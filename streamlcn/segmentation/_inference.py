"""Whole slices through a network, one after the other, nothing computed twice.

Every slice goes through alone, so that its bits do not depend on which slab it belongs to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from streamlcn.segmentation._build import Network
from streamlcn.segmentation._sensor3d import Encoded, Sensor3D

__all__ = ["logits_of_slices", "padded"]

GetSlice = Callable[[int], npt.NDArray[np.float32]]
"""Normalised slice z (y, x)."""


def padded(plane: npt.NDArray[np.float32], multiple: int) -> npt.NDArray[np.float32]:
    """Repeat the last row and column until both counts are multiples; returns (y, x) float32."""
    rows, columns = plane.shape
    return np.pad(plane, ((0, -rows % multiple), (0, -columns % multiple)), mode="edge")


def logits_of_slices(
    network: Network, get_slice: GetSlice, depth: int, start: int, stop: int, device: torch.device
) -> Iterator[Tensor]:
    """Yield logits (class, y, x) of slices ``start`` to ``stop`` of a volume with ``depth`` slices.

    Beyond its ends a volume goes on as its first and last slice.
    """
    shape = get_slice(start).shape

    def ready(z: int) -> Tensor:
        plane = padded(get_slice(z), network.config.multiple)
        return torch.from_numpy(plane).to(device)[None, None].contiguous(memory_format=torch.channels_last)

    def cut(logits: Tensor) -> Tensor:
        return logits[0, :, : shape[0], : shape[1]].float()

    if not isinstance(network, Sensor3D):
        for z in range(start, stop):
            yield cut(network(ready(z)))
        return
    kept: dict[int, Encoded] = {}
    for z in range(start, stop):
        window = [min(max(near, 0), depth - 1) for near in (z - 1, z, z + 1)]
        kept = {near: kept[near] for near in window if near in kept}
        for near in window:
            if near not in kept:
                kept[near] = network.encode(ready(near))
        yield cut(network.decode(*(kept[near] for near in window)))
