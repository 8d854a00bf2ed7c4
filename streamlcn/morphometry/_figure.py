"""One page: the network by cell and by thickness, the histogram, the numbers, the lacunae."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from streamlcn.morphometry._figure_text import lacuna_lines, method, number_lines
from streamlcn.morphometry._network import Network, network_of
from streamlcn.morphometry._render import View, coloured, view
from streamlcn.morphometry._result import Analysis, Morphometry, SlabAnalysis
from streamlcn.morphometry._thickness import diameters

__all__ = ["save_figure"]

_GREY = (0.62, 0.62, 0.62)
_CANALICULI, _LACUNAE = "#4477aa", "#cc6677"


class _Voxels(NamedTuple):
    """What the views show: the cell (int32) and the local thickness in um (float32) of each pore voxel."""

    network: Network
    cells: npt.NDArray[np.int32]
    thickness: npt.NDArray[np.float32]


def save_figure(
    analysis: Analysis | SlabAnalysis, path: str | Path, title: str = "Lacuna-canalicular network"
) -> None:
    """Write one page (PNG, PDF, SVG by suffix): two views along y, histogram, numbers, lacunae, flags.

    The page of an `Analysis` and of a `SlabAnalysis` of the same labels are the same; needs matplotlib.
    Raises `OSError` where ``path`` cannot be written, `ValueError` for another suffix.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    values, voxels = analysis.morphometry, _voxels(analysis)
    figure = Figure(figsize=(8.27, 10.6), layout="constrained", dpi=200)
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=12, fontweight="bold", x=0.01, ha="left")
    grid = figure.add_gridspec(3, 2, height_ratios=[1.15, 1.1, 0.8])
    seen = view(voxels.network)
    _draw_cells(figure.add_subplot(grid[0, 0]), values, voxels, seen)
    _draw_thickness(figure, figure.add_subplot(grid[0, 1]), values, voxels, seen)
    _draw_histogram(figure.add_subplot(grid[1, 0]), analysis)
    numbers = number_lines(values)
    _draw_table(figure.add_subplot(grid[1, 1]), "d  numbers", numbers, [0.44, 0.24, 0.32], align="left")
    last = figure.add_subplot(grid[2, :])
    widths = [0.04, 0.08, 0.08, 0.15, 0.07, 0.08, 0.08, 0.06, 0.08, 0.13, 0.07, 0.08]
    _draw_table(last, "e  lacunae", lacuna_lines(values), widths, align="right")
    last.text(0, -0.03, method(values), fontsize=6, va="top", transform=last.transAxes)
    figure.savefig(path, facecolor="white")


def _voxels(analysis: Analysis | SlabAnalysis) -> _Voxels:
    if isinstance(analysis, SlabAnalysis):
        thickness = diameters(analysis.squared_radii, analysis.morphometry.voxel_size_um)
        return _Voxels(analysis.network, analysis.cells, thickness)
    lcn = analysis.lcn
    return _Voxels(network_of(lcn), analysis.cells[lcn], analysis.thickness[lcn])


def _letter(axes: Any, letter: str, text: str) -> None:
    axes.set_title(rf"$\bf{{{letter}}}$  {text}", loc="left", fontsize=8.5)


def _frame(axes: Any, image: npt.NDArray[Any], pixel_um: float) -> None:
    height, width = image.shape[:2]
    axes.imshow(image, origin="lower", interpolation="antialiased")
    axes.set_axis_off()
    bar = max(
        b
        for n in range(-4, 7)
        for b in (10.0**n, 2 * 10.0**n, 5 * 10.0**n)
        if b <= width * pixel_um / 3 or n == -4
    )
    x, y = width * 0.03, -height * 0.06
    axes.plot([x, x + bar / pixel_um], [y, y], color="black", lw=2.5, solid_capstyle="butt")
    axes.text(x + bar / pixel_um + width * 0.02, y, f"{bar:g} µm", va="center", fontsize=8)
    for dx, dy, name in ((1, 0, "x"), (0, 1, "z")):
        start, length = np.array([width * 0.86, -height * 0.09]), width * 0.07
        axes.annotate(
            "", start + length * np.array([dx, dy]), start, arrowprops={"arrowstyle": "->", "lw": 0.8}
        )
        axes.text(*(start + 1.35 * length * np.array([dx, dy])), name, fontsize=7, ha="center", va="center")
    axes.set_xlim(0, width)
    axes.set_ylim(-height * 0.12, height)


def _draw_cells(axes: Any, values: Morphometry, voxels: _Voxels, seen: View) -> None:
    from matplotlib import colormaps
    from matplotlib.patheffects import withStroke

    numbers = voxels.cells[seen.number[seen.hit]]
    colours = [n for n in range(20) if n not in (14, 15)]  # without the greys of orphans
    count = int(numbers.max(initial=0)) + 1
    palette = np.array([colormaps["tab20"](colours[n * 7 % 18])[:3] for n in range(count)])
    palette[0] = _GREY
    voxel = values.voxel_size_um
    _frame(axes, coloured(seen, palette[numbers]), voxel / seen.scale)
    for row in values.lacunae.rows[:40]:
        z, _, x = (c / voxel * seen.scale for c in row["centroid_um"])
        axes.text(
            x, z, str(row["id"]), fontsize=8, ha="center", va="center", color="white", fontweight="bold",
            path_effects=[withStroke(linewidth=1.6, foreground="black")],
        )  # fmt: skip
    _letter(axes, "a", "cells, numbered by lacuna (grey: reaches none)")


def _draw_thickness(figure: Any, axes: Any, values: Morphometry, voxels: _Voxels, seen: View) -> None:
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import PowerNorm

    thickness = voxels.thickness[seen.number[seen.hit]]
    largest = float(voxels.thickness.max(initial=0)) or 1.0
    scale = PowerNorm(0.5, 0, largest)  # canaliculi and lacunae differ by a factor of ten
    colours = colormaps["viridis"](scale(thickness))[:, :3]
    _frame(axes, coloured(seen, colours), values.voxel_size_um / seen.scale)
    bar = figure.colorbar(ScalarMappable(scale, "viridis"), ax=axes, shrink=0.8, pad=0.02, aspect=25)
    bar.set_ticks([t for t in (0.1, 0.2, 0.5, 1, 2, 3, 5, 10, 20, 50, 100) if t <= largest])
    bar.ax.yaxis.set_major_formatter("{x:g}")
    bar.ax.axhspan(0, values.parameters.resolution_um, color="0.8")
    bar.set_label("local thickness (µm)", fontsize=8)
    bar.ax.tick_params(labelsize=7)
    _letter(axes, "b", "local thickness")


def _draw_histogram(axes: Any, analysis: Analysis | SlabAnalysis) -> None:
    table, settings = analysis.thickness_histogram, analysis.morphometry.parameters
    total = max(float(table["volume_um3"].sum()), 1e-300)
    width = table["upper_um"] - table["lower_um"]
    thin = table["canalicular_volume_um3"] / total / width
    thick = table["lacunar_volume_um3"] / total / width
    limit = table["is_at_resolution_limit"]
    axes.bar(table["lower_um"], thin, width, align="edge", color=_CANALICULI, label="canaliculi")
    axes.bar(table["lower_um"], thick, width, thin, align="edge", color=_LACUNAE, label="lacunae")
    axes.bar(
        table["lower_um"][limit], (thin + thick)[limit], width[limit], align="edge", color=_CANALICULI, lw=0,
        hatch="//////", edgecolor="white", label="at the limit: no diameter",
    )  # fmt: skip
    axes.axvspan(
        0,
        settings.resolution_um,
        color="0.85",
        zorder=0,
        label=f"below {settings.resolution_um:g} µm resolution",
    )
    axes.axvline(
        settings.lacuna_thickness_um, color="black", ls="--", lw=0.8,
        label=f"lacuna from {settings.lacuna_thickness_um:g} µm",
    )  # fmt: skip
    axes.set_xlim(0, max(float(table["upper_um"][-1]), 1.2 * settings.lacuna_thickness_um))
    axes.set_ylim(0, 1.05 * max(float((thin + thick).max(initial=0)), 1e-3))
    axes.set_xlabel("local thickness (µm)", fontsize=8)
    axes.set_ylabel("share of LCN volume per µm", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=7, loc="upper right")
    _letter(axes, "c", "local thickness by volume")


def _draw_table(axes: Any, title: str, lines: list[list[str]], widths: list[float], *, align: str) -> None:
    axes.set_axis_off()
    drawn = axes.table(
        cellText=lines[1:],
        colLabels=lines[0],
        colWidths=widths,
        cellLoc=align,
        colLoc=align,
        edges="open",
        bbox=[0, 0, 1, 1],
    )
    drawn.auto_set_font_size(False)  # noqa: FBT003  matplotlib's own signature
    drawn.set_fontsize(7)
    for edge in (1 - 1 / len(lines), 0.0):
        axes.axhline(edge, color="black", lw=0.6)
    axes.set_ylim(0, 1)
    _letter(axes, *title.split("  "))
