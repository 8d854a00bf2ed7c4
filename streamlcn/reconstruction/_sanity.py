"""Whether what a foreign package gave back can be a volume: some of them fail without a word."""

from __future__ import annotations

from functools import partial

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from streamlcn.errors import ReconstructionFailed
from streamlcn.reconstruction._accumulator import CpuAccumulator, Projected
from streamlcn.reconstruction._filter import FilterGeometry, RowFilter
from streamlcn.reconstruction.settings import FilterName

__all__ = ["fbp_slice", "inside_circle", "require_agreement", "require_values"]

MAX_DISAGREEMENT = 0.1
SMOOTH_PX = 2.0
RADIUS = 0.9


def fbp_slice(
    lines: npt.NDArray[np.float32],
    angles_rad: npt.NDArray[np.float64],
    weights: npt.NDArray[np.float64],
    centre: float,
    window: FilterName,
    padding: str,
    threads: int,
) -> npt.NDArray[np.float32]:
    """Return one slice (y, x) in 1/pixel of lines (index, column) by our own back-projection."""
    columns = lines.shape[1]
    row_filter = RowFilter(FilterGeometry.around(columns, centre), window, padding)
    accumulator = CpuAccumulator((1, columns), centre, row_filter, 24, threads)
    rows = [partial(np.atleast_2d, row) for row in lines]
    try:
        accumulator.add(
            [Projected(*each) for each in zip(rows, angles_rad.tolist(), weights.tolist(), strict=True)]
        )
        return accumulator.slab(0, 1, float(np.pi / weights.sum()))[0]
    finally:
        accumulator.close()


def inside_circle(columns: int, share: float = 1.0) -> npt.NDArray[np.bool_]:
    """Return (y, x) True in the circle that the detector sees, or in a ``share`` of its diameter."""
    offset = np.arange(columns) - (columns - 1) / 2
    inside: npt.NDArray[np.bool_] = offset[:, None] ** 2 + offset[None, :] ** 2 <= (share * columns / 2) ** 2
    return inside


def require_values(volume: npt.NDArray[np.float32], who: str) -> None:
    """Raise `ReconstructionFailed` for values that are not numbers, and for a volume of one value."""
    if not np.isfinite(volume).all():
        z, y, x = np.argwhere(~np.isfinite(volume))[0]
        raise ReconstructionFailed(f"{who} gave {volume[z, y, x]} at slice {z}, row {y}, column {x}")
    for z, image in enumerate(volume):
        core = image[inside_circle(len(image))]
        if core.size > 1 and np.ptp(core) == 0:
            raise ReconstructionFailed(
                f"{who} gave {core[0]:.6g} everywhere in slice {z}: it failed without saying so"
            )


def require_agreement(image: npt.NDArray[np.float32], ours: npt.NDArray[np.float32], who: str) -> float:
    """Return the rms difference of two smoothed slices over the rms of ours; raise when it is above 10 %."""
    inside = inside_circle(len(ours), RADIUS)
    smooth = [ndimage.gaussian_filter(each, SMOOTH_PX)[inside].astype(np.float64) for each in (image, ours)]
    level = float(np.sqrt(np.mean(smooth[1] ** 2)))
    difference = float(np.sqrt(np.mean((smooth[0] - smooth[1]) ** 2)))
    if difference > MAX_DISAGREEMENT * level:
        raise ReconstructionFailed(
            f"{who} differs from our own back-projection of the same slice by {difference / level:.0%} "
            f"(rms, smoothed over {SMOOTH_PX:g} pixels): its volume is not to be trusted"
        )
    return difference / level if level > 0 else 0.0
