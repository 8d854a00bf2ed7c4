"""Slices through a network, one after the other, nothing computed twice.

Every slice goes through alone, so that its bits do not depend on which slab it belongs to. Slices too large
for that are cut into tiles that overlap by as much as a label can see: there are no seams.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from streamlcn.segmentation._build import Network
from streamlcn.segmentation._sensor3d import Encoded, Sensor3D
from streamlcn.segmentation.settings import NetworkConfig

__all__ = ["TILE_PX", "GetSlice", "SliceInference", "logits_of_slices", "padded", "sight_px"]

TILE_PX = 1024
"""Slices up to this many rows and columns go through whole."""

GetSlice = Callable[[int], npt.NDArray[np.float32]]
"""Normalised slice z (y, x)."""


def padded(plane: npt.NDArray[np.float32], multiple: int) -> npt.NDArray[np.float32]:
    """Repeat the last row and column until both counts are multiples; returns (y, x) float32."""
    rows, columns = plane.shape
    return np.pad(plane, ((0, -rows % multiple), (0, -columns % multiple)), mode="edge")


def sight_px(config: NetworkConfig) -> int:
    """Return how far in a slice a voxel can be from one whose logits it changes, rounded up to a multiple.

    Counts 1 pixel per 3 x 3 convolution at its resolution, and one more of the coarsest pixels for pooling
    and one for nearest neighbours on the way up.
    """
    steps = [2**level for level in range(config.levels)]
    reach = 2 * sum(steps) + 2 * sum(steps[:-1]) + 2 * steps[-1]
    if config.kind == "sensor3d":
        reach += 3 * steps[-1] + 2  # both C-LSTMs: gates of the input, then two states and one
    return -(-reach // config.multiple) * config.multiple


def logits_of_slices(
    network: Network,
    get_slice: GetSlice,
    depth: int,
    start: int,
    stop: int,
    device: torch.device,
    *,
    precision: torch.dtype = torch.float32,
    tile_px: int = TILE_PX,
) -> Iterator[Tensor]:
    """Yield logits (class, y, x) float32 of slices ``start`` to ``stop`` of a volume with ``depth`` slices.

    Beyond its ends a volume goes on as its first and last slice. ``precision`` is that of convolutions.
    Slices with more rows or columns than ``tile_px`` are cut.
    """
    slices = SliceInference(network, get_slice, depth, device, precision)
    for z in range(start, stop):
        yield slices.logits(z, tile_px)


class SliceInference:
    """One volume through one network on one device, slice by slice, best upwards.

    Between slices it keeps what the next ones see too; with ``is_keeping`` False nothing, in less memory.
    """

    def __init__(
        self,
        network: Network,
        get_slice: GetSlice,
        depth: int,
        device: torch.device,
        precision: torch.dtype,
    ) -> None:
        self.is_keeping = True
        self._network, self._get_slice, self._depth = network, get_slice, depth
        self._device, self._precision = device, precision
        self._planes: dict[int, npt.NDArray[np.float32]] = {}
        self._tiles: list[_Tile] = []
        self._tile_px = 0
        self._shape: tuple[int, int] | None = None

    def logits(self, z: int, tile_px: int) -> Tensor:
        """Return logits (class, y, x) float32 of slice z, in tiles of ``tile_px``; can be tried again."""
        window = [min(max(near, 0), self._depth - 1) for near in (z - 1, z, z + 1)]
        self._planes = {near: self._planes[near] for near in window if near in self._planes}
        if self._shape is None:
            self._shape = self._get_slice(z).shape
        rows, columns = self._shape
        self._cut(rows, columns, tile_px)
        device, precision = self._device, self._precision
        out = torch.empty(self._network.config.class_count, rows, columns, device=device)
        for tile in self._tiles:
            with torch.autocast(device.type, precision, enabled=precision != torch.float32):
                logits = tile.logits(self._network, self._plane, window, device)
            ys, xs = tile.ys, tile.xs
            own = logits[0, :, ys.first - ys.low : ys.end - ys.low, xs.first - xs.low : xs.end - xs.low]
            out[:, ys.first : ys.end, xs.first : xs.end] = own.float()
            if not self.is_keeping:
                tile.kept.clear()
        return out

    def _plane(self, z: int) -> Tensor:
        if z not in self._planes:
            self._planes[z] = padded(self._get_slice(z), self._network.config.multiple)
        return torch.from_numpy(self._planes[z])

    def _cut(self, rows: int, columns: int, tile_px: int) -> None:
        if tile_px == self._tile_px:
            return
        config = self._network.config
        self._tile_px = tile_px
        self._tiles = [
            _Tile(ys, xs) for ys in _spans(rows, tile_px, config) for xs in _spans(columns, tile_px, config)
        ]


@dataclass(frozen=True, slots=True)
class _Span:
    """Along one axis: labels of ``first`` to ``end`` are this tile's, it sees ``low`` to ``high``."""

    first: int
    end: int
    low: int
    high: int


@dataclass(slots=True)
class _Tile:
    """A part of every slice, with what is known of the slices of the present window."""

    ys: _Span
    xs: _Span
    kept: dict[int, Encoded] = field(default_factory=dict)

    def logits(
        self, network: Network, plane: Callable[[int], Tensor], window: list[int], device: torch.device
    ) -> Tensor:
        def ready(z: int) -> Tensor:
            part = plane(z)[self.ys.low : self.ys.high, self.xs.low : self.xs.high]
            return part.to(device)[None, None].contiguous(memory_format=torch.channels_last)

        if not isinstance(network, Sensor3D):
            flat: Tensor = network(ready(window[1]))
            return flat
        self.kept = {near: self.kept[near] for near in window if near in self.kept}
        for near in window:
            if near not in self.kept:
                self.kept[near] = network.encode(ready(near))
        return network.decode(*(self.kept[near] for near in window))


def _spans(size: int, tile_px: int, config: NetworkConfig) -> list[_Span]:
    whole = -(-size // config.multiple) * config.multiple
    if size <= tile_px:
        return [_Span(0, size, 0, whole)]
    sight = sight_px(config)
    step = max(tile_px // config.multiple, 1) * config.multiple
    return [
        _Span(first, min(first + step, size), max(first - sight, 0), min(first + step + sight, whole))
        for first in range(0, size, step)
    ]
