"""One picture of what the demonstration gave: slice, labels, truth, thickness."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from streamlcn.demo._read_back import ReadBack

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["save_summary"]

_COLOURS = ["#101418", "#8b95a3", "#ffa824", "#4084ff"]
_NAMES = ["background", "bone", "LCN", "shade-off"]


def save_summary(path: Path, result: ReadBack, truth: npt.NDArray[np.uint8] | None, title: str) -> None:
    """Write a picture of one slice, its labels, the truth if known, and the thickness histogram."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    middle = _busiest_slice(result.labels)
    figure, axes = plt.subplots(2, 2, figsize=(9.6, 9.2), layout="constrained")
    low, high = np.percentile(result.reconstruction[middle], (0.5, 99.5))
    extent = _extent(result.labels.shape, result.voxel_size_um)
    axes[0, 0].imshow(result.reconstruction[middle], cmap="gray", vmin=low, vmax=high, extent=extent)
    axes[0, 0].set_title(f"Reconstruction, slice {middle}")
    colours = ListedColormap(_COLOURS)
    axes[0, 1].imshow(
        result.labels[middle], cmap=colours, vmin=0, vmax=3, interpolation="nearest", extent=extent
    )
    axes[0, 1].set_title("Labels by the network")
    if truth is not None:
        axes[1, 0].imshow(truth[middle], cmap=colours, vmin=0, vmax=3, interpolation="nearest", extent=extent)
        axes[1, 0].set_title("Truth of the phantom")
    else:
        axes[1, 0].set_axis_off()
    for axis in (axes[0, 0], axes[0, 1], axes[1, 0]):
        axis.set_xlabel("x (µm)")
        axis.set_ylabel("y (µm)")
    handles = [Patch(color=colour, label=name) for colour, name in zip(_COLOURS, _NAMES, strict=True)]
    axes[0, 1].legend(handles=handles, loc="lower right", fontsize=8, framealpha=0.85)
    _histogram(axes[1, 1], result)
    figure.suptitle(title)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _busiest_slice(labels: npt.NDArray[np.uint8]) -> int:
    """Return the slice of the middle third that shows the most LCN."""
    low, high = len(labels) // 3, max(len(labels) // 3 + 1, 2 * len(labels) // 3)
    return low + int(np.argmax((labels[low:high] == 2).sum(axis=(1, 2))))


def _extent(shape: tuple[int, ...], voxel_um: float) -> tuple[float, float, float, float]:
    height, width = shape[1] * voxel_um, shape[2] * voxel_um
    return (-width / 2, width / 2, -height / 2, height / 2)


def _histogram(axis: Axes, result: ReadBack) -> None:
    table: dict[str, Any] = result.thickness_histogram
    lower, upper = table["lower_um"], table["upper_um"]
    axis.bar(
        lower, 100 * table["fraction"], width=upper - lower, align="edge", color="#ffa824", ec="white", lw=0.4
    )
    mean = result.metadata["lcn"]["thickness_mean_um"]
    if mean is not None:
        axis.axvline(mean, color="#101418", lw=1.2, ls="--", label=f"mean {mean:.2f} µm")
        axis.legend(frameon=False)
    axis.set_title("Local thickness of the LCN")
    axis.set_xlabel("thickness (µm)")
    axis.set_ylabel("share of the LCN volume (%)")
    axis.spines[["top", "right"]].set_visible(False)
