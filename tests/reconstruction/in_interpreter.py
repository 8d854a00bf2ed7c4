"""The Triton kernel in Triton's interpreter, on the CPU; `test_triton.py` runs this in a process of its own.

Triton looks at TRITON_INTERPRET when it is imported, so that no other test may have imported it before.
"""

from __future__ import annotations

import os
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pytest
import torch
from contract import ReconstructionContract
from phantoms import BONE, line_integrals

from streamlcn.reconstruction import ReconstructionSettings, _on_torch, _triton, reconstruct
from streamlcn.reconstruction._triton import DEPTH, TritonKernel, is_right_on

assert os.environ.get("TRITON_INTERPRET") == "1"

CPU = torch.device("cpu")
_on_torch._kernel_of = lambda _: TritonKernel  # type: ignore[assignment]


class TestFbpTriton(ReconstructionContract):
    """In tiles of 32 x 32, which the interpreter goes through ten times as fast."""

    method: ClassVar[dict[str, object]] = {"backend": "fbp", "device": "torch:cpu"}

    @pytest.fixture(autouse=True)
    def _large_tiles(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(_triton, "TILE", 32)
        monkeypatch.setattr(TritonKernel, "margin", 64)


def rows_of(columns: int, depth: int, count: int) -> npt.NDArray[np.float32]:
    """Return random filtered rows (k, u, z) with the kernel's margins and ten columns beside the image."""
    inner = np.random.default_rng(7).normal(size=(count, columns + 20, depth)).astype(np.float32)
    return np.pad(inner, ((0, 0), (TritonKernel.margin, TritonKernel.margin), (0, 0)))


def added(
    columns: int, off_centre: float, rows: npt.NDArray[np.float32], batch: int
) -> npt.NDArray[np.float32]:
    """Return slices (z, y, x) with all rows in them, ``batch`` at a time."""
    angles = np.linspace(0, np.pi, len(rows), endpoint=False)
    origin = TritonKernel.margin + 10 + (columns - 1) / 2 + off_centre
    kernel = TritonKernel(columns, origin, CPU)
    voxels = torch.zeros(kernel.shape(rows.shape[2]))
    for first in range(0, len(rows), batch):
        part = torch.from_numpy(rows[first : first + batch])
        kernel.add(voxels, part, angles[first : first + batch])
    return kernel.images(voxels, 1.0).numpy()


def float64(columns: int, off_centre: float, rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    middle = (columns - 1) / 2
    x, y = np.meshgrid(np.arange(columns) - middle, middle - np.arange(columns))
    total = np.zeros((rows.shape[2], columns, columns))
    for row, angle in zip(rows, np.linspace(0, np.pi, len(rows), endpoint=False), strict=True):
        place = x * np.cos(angle) + y * np.sin(angle) + TritonKernel.margin + 10 + middle + off_centre
        for z in range(rows.shape[2]):
            total[z] += np.interp(place.ravel(), np.arange(rows.shape[1]), row[:, z]).reshape(place.shape)
    total[:, x**2 + y**2 > (columns / 2) ** 2] = 0
    return total


@pytest.mark.parametrize(("columns", "off_centre"), [(8, 0.0), (13, -6.3), (21, 9.8)])
def test_sums_are_those_of_float64(columns: int, off_centre: float) -> None:
    rows = rows_of(columns, DEPTH, 17)
    expected = float64(columns, off_centre, rows)
    found = added(columns, off_centre, rows, batch=17)
    assert np.abs(found - expected).max() <= 1.5e-6 * np.abs(expected).max()


def test_batches_do_not_show_in_the_bits() -> None:
    rows = rows_of(13, DEPTH, 7)
    one = added(13, 0.4, rows, batch=1)
    assert all(np.array_equal(one, added(13, 0.4, rows, batch)) for batch in (3, 7))


def test_its_probe_says_so() -> None:
    assert is_right_on(CPU)


@pytest.mark.parametrize("budget_gb", [None, 1e-9])
def test_any_number_of_rows_and_columns(budget_gb: float | None) -> None:
    """35 rows are 32 and 3, 19 columns two tiles and 3; the axis is 4 columns off; in host memory, too."""
    columns, rows = 19, 35
    angles = np.arange(6) * np.pi / 6
    lines = line_integrals(BONE, angles, columns, 13.4, rows).astype(np.float32)
    volumes = []
    for kernel in ("triton", "compiled"):
        device = "torch:cpu" if kernel == "triton" else "cpu"
        method = {"backend": "fbp", "device": device, "batch": 4, "device_memory_gb": budget_gb}
        rules = ReconstructionSettings.model_validate(
            {"method": method, "correction": {"median_radius_px": 0, "rings": "mean"}}
        )
        volumes.append(
            reconstruct(lines, None, None, angles, centre=13.4, settings=rules, is_line_integral=True)
        )
    assert volumes[0].shape == (rows, columns, columns)
    assert np.abs(volumes[0] - volumes[1]).max() <= 3e-6 * np.abs(volumes[1]).max()
