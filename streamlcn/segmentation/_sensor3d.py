"""Sensor3D (Novikov et al. 2019): a U-Net over three neighbouring slices with two bidirectional C-LSTMs.

The contracting path sees each slice alone; a C-LSTM runs over the three bottlenecks and gives a sequence; the
expanding path treats each of the three alone again; a last C-LSTM joins them at the middle slice, forward
over slices (1, 2), backward over (3, 2). Widths, levels, normalisation and the way the directions are joined
are not spelt out in the publication: they are configuration here.

``encode`` holds all that belongs to one slice, ``decode`` what depends on its neighbours. Segmenting a volume
encodes each slice once.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from streamlcn.segmentation._blocks import UpBlock, contract, contracting_path, halves_of, texture
from streamlcn.segmentation._conv_lstm import BiConvLSTM
from streamlcn.segmentation.settings import NetworkConfig

__all__ = ["Encoded", "Sensor3D"]


@dataclass(frozen=True, slots=True)
class Encoded:
    """What one slice brings into every window that sees it.

    ``halves``: from_skip(skip) per level, deepest first, (n, width, h, w). ``forward``, ``backward``: gates
    of the bottleneck's C-LSTM from its input, (n, 4 deepest width, h, w).
    """

    halves: tuple[Tensor, ...]
    forward: Tensor
    backward: Tensor


class Sensor3D(nn.Module):
    """(n, 3, rows, columns) normalised grey values -> (n, class_count, rows, columns) logits of the middle.

    Rows and columns are multiples of ``config.multiple``.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.widths
        self.down = contracting_path(widths, config.norm)
        self.bottom = BiConvLSTM(widths[-1], widths[-1], config.merge)
        below = [self.bottom.output_width, *reversed(widths[1:-1])]
        self.ups = nn.ModuleList(
            UpBlock(inputs, width, width, config.norm)
            for inputs, width in zip(below, reversed(widths[:-1]), strict=True)
        )
        self.last = BiConvLSTM(config.base, config.base, config.merge)
        self.head = nn.Conv2d(self.last.output_width, config.class_count, 1)

    def features(self, slices: Tensor) -> Tensor:
        """Return `texture` of slices (n, 1, rows, columns)."""
        return texture(self.down, slices)

    def encode(self, slices: Tensor) -> Encoded:
        """Return what belongs to single slices, (n, 1, rows, columns)."""
        skips, x = contract(self.down, slices)
        return Encoded(
            halves_of(self.ups, skips), self.bottom.input_forward(x), self.bottom.input_backward(x)
        )

    def decode(self, before: Encoded, here: Encoded, after: Encoded) -> Tensor:
        """Return logits (n, class_count, rows, columns) of the slice in the middle."""
        window = (before, here, after)
        states = self.bottom.sequence([e.forward for e in window], [e.backward for e in window])
        x = torch.cat(states)  # (3 n, deepest width, h, w): the expanding path sees each slice alone
        for level, up in enumerate(self.ups):
            x = up(x, torch.cat([e.halves[level] for e in window]))
        first, middle, third = x.chunk(3)  # (n, base, rows, columns) each
        forward = self.last.input_forward(torch.cat([first, middle])).chunk(2)
        backward = self.last.input_backward(torch.cat([third, middle])).chunk(2)
        logits: Tensor = self.head(self.last.middle(list(forward), list(backward)))
        return logits

    def forward(self, windows: Tensor) -> Tensor:
        """Return logits of the middle slices, with nothing shared between windows."""
        count = len(windows)
        together = self.encode(windows.transpose(0, 1).reshape(3 * count, 1, *windows.shape[2:]))
        return self.decode(*(_part(together, index, count) for index in range(3)))


def _part(encoded: Encoded, index: int, count: int) -> Encoded:
    keep = slice(index * count, (index + 1) * count)
    return Encoded(
        tuple(half[keep] for half in encoded.halves), encoded.forward[keep], encoded.backward[keep]
    )
