"""U-Net (Ronneberger et al. 2015) with padded convolutions: one slice in, its classes out."""

from __future__ import annotations

from torch import Tensor, nn

from streamlcn.segmentation._blocks import UpBlock, contract, contracting_path, halves_of, texture
from streamlcn.segmentation.settings import NetworkConfig

__all__ = ["UNet"]


class UNet(nn.Module):
    """(n, 1, rows, columns) normalised grey values -> (n, class_count, rows, columns) logits.

    Rows and columns are multiples of ``config.multiple``. Filters at each level: ``config.widths``.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        widths = config.widths
        self.down = contracting_path(widths, config.norm)
        self.ups = nn.ModuleList(
            UpBlock(below, width, width, config.norm)
            for below, width in zip(reversed(widths[1:]), reversed(widths[:-1]), strict=True)
        )
        self.head = nn.Conv2d(config.base, config.class_count, 1)

    def features(self, slices: Tensor) -> Tensor:
        """Return `texture` of slices (n, 1, rows, columns)."""
        return texture(self.down, slices)

    def forward(self, slices: Tensor) -> Tensor:
        """Return logits of each slice."""
        skips, x = contract(self.down, slices)
        for up, half in zip(self.ups, halves_of(self.ups, skips), strict=True):
            x = up(x, half)
        logits: Tensor = self.head(x)
        return logits
