"""Line integrals of a volume, and their filtered back-projection, as sparse matrices over all rows at once.

Geometry: t = x cos(theta) + y sin(theta) + centre, in pixels, x growing with the column, y falling with the
row, both zero in the middle of the slice. Only pixels of a stated support take part.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import torch


class Projector:
    """Joseph's projector of the pixels where `support` (y, x) is true, and a pixel-driven back-projector."""

    def __init__(
        self, support: npt.NDArray[np.bool_], *, columns: int, centre_px: float, device: str = "cpu"
    ) -> None:
        import torch

        index = np.full(support.shape, -1, dtype=np.int64)
        index[support] = np.arange(int(support.sum()))
        self._index = torch.as_tensor(index, device=device)
        self._columns = columns
        self._centre = centre_px
        self._device = device
        rows_px, columns_px = np.nonzero(support)
        middle = (support.shape[0] - 1) / 2
        self._x = torch.as_tensor(columns_px - middle, dtype=torch.float32, device=device)
        self._y = torch.as_tensor(middle - rows_px, dtype=torch.float32, device=device)

    def project(self, angles_rad: npt.NDArray[np.float64], values: torch.Tensor) -> torch.Tensor:
        """Integrate `values` (pixel of the support, z), float32, in pixels.

        Returns
        -------
        torch.Tensor
            Float32 (angle, z, column).
        """
        import torch

        rows = [self._rays(float(angle)) for angle in angles_rad]
        counts = torch.cat([row[0] for row in rows])
        matrix = _csr(
            counts, torch.cat([row[1] for row in rows]), torch.cat([row[2] for row in rows]), len(values)
        )
        return (matrix @ values).reshape(len(angles_rad), self._columns, -1).transpose(1, 2)

    def _rays(self, angle_rad: float) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Taps of one angle's rays: how many per ray, which pixel of the support, which weight."""
        import torch

        size = self._index.shape[0]
        middle = (size - 1) / 2
        cos, sin = np.cos(angle_rad), np.sin(angle_rad)
        s = torch.arange(self._columns, device=self._device, dtype=torch.float64)[:, None] - self._centre
        step = torch.arange(size, device=self._device)[None, :]
        along_y = abs(cos) >= abs(sin)
        if along_y:
            across = (s - (middle - step) * sin) / cos + middle
        else:
            across = middle - (s - (step - middle) * cos) / sin
        low = torch.floor(across)
        share = (across - low).float()
        taps = low.long()[..., None] + torch.tensor([0, 1], device=self._device)
        weights = torch.stack([1 - share, share], dim=-1) / max(abs(cos), abs(sin))
        inside = (taps >= 0) & (taps < size)
        taps = taps.clamp(0, size - 1)
        other = step[..., None].expand_as(taps)
        pixel = self._index[other, taps] if along_y else self._index[taps, other]
        keep = (inside & (pixel >= 0)).reshape(self._columns, -1)
        return keep.sum(1), pixel.reshape(self._columns, -1)[keep], weights.reshape(self._columns, -1)[keep]

    def back_project(self, angles_rad: npt.NDArray[np.float64], filtered: torch.Tensor) -> torch.Tensor:
        """Add up `filtered` (angle, z, column) over the rays through each pixel; (pixel, z)."""
        import torch

        taps, weights = [], []
        for number, angle in enumerate(angles_rad):
            t = self._x * float(np.cos(angle)) + self._y * float(np.sin(angle)) + self._centre
            low = torch.floor(t).clamp(0, self._columns - 2)
            share = (t - low).clamp(0, 1)
            taps.append(torch.stack([low.long(), low.long() + 1], dim=1) + number * self._columns)
            weights.append(torch.stack([1 - share, share], dim=1))
        counts = torch.full((len(self._x),), 2 * len(angles_rad), device=self._device)
        matrix = _csr(
            counts, torch.cat(taps, 1).ravel(), torch.cat(weights, 1).ravel(), len(angles_rad) * self._columns
        )
        return matrix @ filtered.transpose(1, 2).reshape(len(angles_rad) * self._columns, -1).contiguous()


def ramp_filter(sinogram: torch.Tensor) -> torch.Tensor:
    """Filter the last axis with the band-limited ramp sampled in space: h0 = 1/4, odd n: -1/(pi n)^2."""
    import torch

    width = sinogram.shape[-1]
    length = 1 << int(np.ceil(np.log2(2 * width)))
    distance = torch.fft.fftfreq(length, 1 / length, device=sinogram.device)
    response = torch.where(distance.abs() % 2 == 1, -1 / (np.pi * distance) ** 2, torch.zeros_like(distance))
    response[0] = 0.25
    transfer = torch.fft.rfft(response).real
    return torch.fft.irfft(torch.fft.rfft(sinogram, n=length) * transfer, n=length)[..., :width]


def _csr(counts: torch.Tensor, pixel: torch.Tensor, weight: torch.Tensor, width: int) -> torch.Tensor:
    import torch

    start = torch.zeros(len(counts) + 1, dtype=torch.int64, device=counts.device)
    start[1:] = torch.cumsum(counts, 0)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta", UserWarning)
        return torch.sparse_csr_tensor(
            start, pixel, weight.float(), (len(counts), width), check_invariants=False
        )
