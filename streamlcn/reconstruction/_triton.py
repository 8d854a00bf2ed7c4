"""The kernel for CUDA devices, in Triton.

Layout: slabs (y, x, z) and rows (k, u, z), z innermost, so that both taps of the linear interpolation are
contiguous lines of 128 bytes for 32 slices; index and weight are shared by these. One program adds all
projections of a batch to 8 x 8 pixels x 32 slices, which it holds in registers: the slab is read and written
once per batch. Programs are launched for tiles that meet the circle and nothing is masked: rows have a margin
of zeros for corners beyond it, which are cut off when slices are read.

A voxel takes its projections strictly one after the other, two fused multiply-adds each, so that batches and
slabs never show in its bits. Where a tile lies in a row is known in float64, where a pixel lies in its tile
in float32: 1e-6 of a pixel.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
import triton
import triton.language as tl

__all__ = ["TritonKernel", "is_right_on"]

TILE = 8
DEPTH = 32


@triton.jit
def back_project(  # type: ignore[no-untyped-def]
    voxels,
    rows,
    cosines,
    sines,
    shifts,
    tiles,
    count,
    voxel_y_stride,
    voxel_x_stride,
    row_k_stride,
    row_u_stride,
    TILE: tl.constexpr,
    DEPTH: tl.constexpr,
):
    """Add ``count`` rows to a tile: voxels (y, x, z) and rows (k, u, z) float32, z contiguous.

    Program (tile, block of z). tiles (n, 2) int32: first row and column. cosines, sines, shifts (k,) float64:
    pixel (row, column) of the image is at column * cosine - row * sine + shift in its row.
    """
    tile = tl.program_id(0)
    z = tl.program_id(1) * DEPTH + tl.arange(0, DEPTH)
    y_first = tl.load(tiles + 2 * tile)
    x_first = tl.load(tiles + 2 * tile + 1)
    pixel = tl.arange(0, TILE * TILE)
    down = pixel // TILE
    along = pixel % TILE
    place = (y_first + down).to(tl.int64) * voxel_y_stride + (x_first + along) * voxel_x_stride
    home = voxels + place[:, None] + z[None, :]
    total = tl.load(home)
    for k in range(count):
        cosine = tl.load(cosines + k)
        sine = tl.load(sines + k)
        corner = x_first * cosine - y_first * sine + tl.load(shifts + k)
        whole = tl.floor(corner)
        near = (corner - whole).to(tl.float32) + along * cosine.to(tl.float32) - down * sine.to(tl.float32)
        below = tl.floor(near)
        share = near - below
        column = whole.to(tl.int32) + below.to(tl.int32)
        line = rows + k * row_k_stride + (column * row_u_stride)[:, None] + z[None, :]
        total = tl.fma((1 - share)[:, None], tl.load(line), total)
        total = tl.fma(share[:, None], tl.load(line + row_u_stride), total)
    tl.store(home, total)


class TritonKernel:
    """See `streamlcn.reconstruction._slabs.SlabKernel`: slabs (y, x, z), the image padded to whole tiles.

    Memory beside the slab: 24 bytes per projection of a batch, 8 per tile and one per pixel; a slice that is
    read costs eight bytes a pixel. Not timed on a card yet.
    """

    name = "triton"
    z_step = DEPTH
    margin = 2 * TILE
    """A corner is at most the diagonal of a tile beyond the circle, and rows begin where the circle does."""

    def __init__(self, columns: int, origin: float, device: torch.device) -> None:
        self._columns, self._origin, self._device = columns, origin, device
        self._side = -(-columns // TILE) * TILE
        offset = np.arange(self._side) - (columns - 1) / 2
        inside = offset[:, None] ** 2 + offset[None, :] ** 2 <= (columns / 2) ** 2
        inside[columns:] = inside[:, columns:] = False
        met = inside.reshape(self._side // TILE, TILE, -1, TILE).any(axis=(1, 3))
        self._tiles = torch.from_numpy((TILE * np.argwhere(met)).astype(np.int32, order="C")).to(device)
        self._outside = torch.from_numpy(~inside[:columns, :columns]).to(device)

    def shape(self, depth: int) -> tuple[int, ...]:
        return (self._side, self._side, depth)

    def add(self, voxels: torch.Tensor, rows: torch.Tensor, angles_rad: npt.NDArray[np.float64]) -> None:
        cosines, sines = np.cos(angles_rad), np.sin(angles_rad)
        shifts = self._origin - (self._columns - 1) / 2 * (cosines - sines)
        known = torch.from_numpy(np.stack([cosines, sines, shifts])).to(self._device)
        grid = (len(self._tiles), voxels.shape[2] // DEPTH)
        strides = (*voxels.stride()[:2], *rows.stride()[:2])
        with torch.cuda.device_of(voxels):  # type: ignore[no-untyped-call] # launches go to the current one
            back_project[grid](
                voxels, rows, *known, self._tiles, len(rows), *strides, TILE=TILE, DEPTH=DEPTH, num_warps=4
            )

    def images(self, voxels: torch.Tensor, scale: float) -> torch.Tensor:
        size = self._columns
        image = voxels[:size, :size].permute(2, 0, 1) * scale
        return image.contiguous().masked_fill_(self._outside, 0)

    def cut(self, voxels: torch.Tensor, axis: int, index: int, scale: float) -> torch.Tensor:
        size = self._columns
        line = voxels[index, :size] if axis == 1 else voxels[:size, index]
        outside = self._outside[index] if axis == 1 else self._outside[:, index]
        return (line * scale).T.contiguous().masked_fill_(outside.to(voxels.device), 0)


def is_right_on(device: torch.device) -> bool:
    """Return whether the kernel does what it should on ``device``; raises whatever its compilation does.

    Rows of ones over a quarter turn: each voxel inside the circle must hold their number.
    """
    columns, angles = 11, np.linspace(0, np.pi / 2, 3)
    kernel = TritonKernel(columns, TritonKernel.margin + 7.25, device)
    voxels = torch.zeros(kernel.shape(DEPTH), dtype=torch.float32, device=device)
    rows = torch.ones((3, columns + 2 * TritonKernel.margin + 8, DEPTH), dtype=torch.float32, device=device)
    kernel.add(voxels, rows, angles)
    images = kernel.images(voxels, 1.0).cpu()
    outside = kernel.images(torch.ones_like(voxels), 1.0).cpu() == 0
    return bool(((images - 3).abs() < 1e-5)[~outside].all())
