"""U-Net (Ronneberger et al. 2015) with padded convolutions: one slice in, its classes out."""

from __future__ import annotations

from torch import Tensor, nn

from streamlcn.segmentation._blocks import ConvBlock, UpBlock, halves_of
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
        self.down = nn.ModuleList(
            ConvBlock(inputs, width, config.norm)
            for inputs, width in zip([1, *widths[:-1]], widths, strict=True)
        )
        self.pool = nn.MaxPool2d(2)
        self.ups = nn.ModuleList(
            UpBlock(below, width, width, config.norm)
            for below, width in zip(reversed(widths[1:]), reversed(widths[:-1]), strict=True)
        )
        self.head = nn.Conv2d(config.base, config.class_count, 1)

    def features(self, slices: Tensor) -> Tensor:
        """Return the features of slices (n, 1, rows, columns) at a quarter of the resolution.

        (n, widths[2], rows / 4, columns / 4); with three levels or two, of the level above the deepest.
        """
        return self._encode(slices)[0][:3][-1]

    def forward(self, slices: Tensor) -> Tensor:
        """Return logits of each slice."""
        skips, x = self._encode(slices)
        for up, half in zip(self.ups, halves_of(self.ups, skips), strict=True):
            x = up(x, half)
        logits: Tensor = self.head(x)
        return logits

    def _encode(self, slices: Tensor) -> tuple[list[Tensor], Tensor]:
        skips: list[Tensor] = []
        x = slices
        for level, block in enumerate(self.down):
            if level:
                skips.append(x)
                x = self.pool(x)
            x = block(x)
        return skips, x
