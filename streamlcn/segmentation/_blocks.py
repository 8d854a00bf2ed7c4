"""Pieces that both networks are made of. Shapes are (batch, channel, row, column)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

__all__ = ["ConvBlock", "UpBlock", "contract", "contracting_path", "halves_of", "initialise", "texture"]


class ConvBlock(nn.Sequential):
    """Two 3 x 3 convolutions, each followed by normalisation and a ReLU."""

    def __init__(self, inputs: int, width: int, norm: str) -> None:
        super().__init__(
            nn.Conv2d(inputs, width, 3, padding=1),
            _norm(norm, width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1),
            _norm(norm, width),
            nn.ReLU(inplace=True),
        )


class UpBlock(nn.Module):
    """Up by nearest neighbours, joined with the skip connection, two convolutions.

    The first convolution of [up, skip] is written as conv(up) + conv(skip): the same linear map, whose half
    on the skip connection belongs to one slice and is computed once however many windows see that slice.
    """

    def __init__(self, below: int, skip: int, width: int, norm: str) -> None:
        super().__init__()
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.from_below = nn.Conv2d(below, width, 3, padding=1, bias=False)
        self.from_skip = nn.Conv2d(skip, width, 3, padding=1)
        self.rest = nn.Sequential(
            _norm(norm, width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1),
            _norm(norm, width),
            nn.ReLU(inplace=True),
        )

    def forward(self, below: Tensor, half: Tensor) -> Tensor:
        """Take features from below, (n, below, h, w), and ``from_skip(skip)``, (n, width, 2h, 2w)."""
        out: Tensor = self.rest(self.from_below(self.up(below)) + half)
        return out


def contracting_path(widths: Sequence[int], norm: str) -> nn.ModuleList:
    """Return the block of each level, the full resolution first, for slices of one channel."""
    return nn.ModuleList(
        ConvBlock(inputs, width, norm) for inputs, width in zip([1, *widths[:-1]], widths, strict=True)
    )


def contract(path: nn.ModuleList, slices: Tensor) -> tuple[list[Tensor], Tensor]:
    """Return the skips of slices (n, 1, rows, columns), shallowest first, and the deepest features."""
    skips: list[Tensor] = []
    x = slices
    for level, block in enumerate(path):
        if level:
            skips.append(x)
            x = functional.max_pool2d(x, 2)
        x = block(x)
    return skips, x


def texture(path: nn.ModuleList, slices: Tensor) -> Tensor:
    """Return the features of slices (n, 1, rows, columns) at a quarter of the resolution.

    (n, widths[2], rows / 4, columns / 4); with three levels or two, of the level above the deepest.
    """
    return contract(path[:-1][:3], slices)[1]


def halves_of(ups: nn.ModuleList, skips: list[Tensor]) -> tuple[Tensor, ...]:
    """Return what the skip connections, shallowest first, bring to ``ups``, deepest first."""
    blocks = cast("list[UpBlock]", list(ups))
    return tuple(up.from_skip(skip) for up, skip in zip(blocks, reversed(skips), strict=True))


def _norm(norm: str, width: int) -> nn.Module:
    return nn.BatchNorm2d(width) if norm == "batch" else nn.Identity()


def initialise(network: nn.Module, seed: int) -> None:
    """Draw He-normal weights from ``seed``; biases and normalisations start neutral."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
