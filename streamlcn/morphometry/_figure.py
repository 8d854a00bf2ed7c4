"""One page: the network by cell and by thickness, the histogram, the numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from streamlcn.morphometry._check import checked_volume
from streamlcn.morphometry._render import depth_map, shaded
from streamlcn.morphometry._result import Analysis, Morphometry

__all__ = ["save_figure"]

_GREY = (0.6, 0.6, 0.6)


def save_figure(
    labels: npt.ArrayLike, analysis: Analysis, path: str | Path, title: str = "Lacuna-canalicular network"
) -> None:
    """Write one page (PNG, PDF, SVG by suffix): two views along y, histogram, table, flags.

    ``labels`` (z, y, x) must be the volume that ``analysis`` was made of.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from streamlcn.errors import BadInput

    if checked_volume(labels).shape != analysis.lcn.shape:
        raise BadInput(
            f"labels of shape {np.shape(labels)} do not belong to an analysis of {analysis.lcn.shape}"
        )
    figure = Figure(figsize=(11.7, 8.3), layout="constrained", dpi=150)
    FigureCanvasAgg(figure)
    figure.suptitle(f"{title}: morphometry of the lacuna-canalicular network", fontsize=13, x=0.01, ha="left")
    by_cell, by_thickness, histogram, numbers = figure.subplots(
        2, 2, gridspec_kw={"height_ratios": [1.25, 1]}
    ).ravel()
    hit, shade, index = _view(analysis)
    _draw_cells(by_cell, analysis, hit, shade, index)
    _draw_thickness(figure, by_thickness, analysis, hit, shade, index)
    _draw_histogram(histogram, analysis)
    _draw_table(numbers, analysis.morphometry)
    figure.savefig(path, facecolor="white")


def _view(analysis: Analysis) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64], npt.NDArray[Any]]:
    depth, index = depth_map(analysis.lcn)
    return depth >= 0, shaded(depth, analysis.lcn.shape[1]), index


def _frame(axes: Any, image: npt.NDArray[Any], voxel: float, title: str) -> None:
    height, width = image.shape[:2]
    axes.imshow(image, origin="lower", interpolation="nearest")
    axes.set_title(title, loc="left", fontsize=10)
    axes.set_xticks([])
    axes.set_yticks([])
    extent_um = width * voxel
    bar = max(
        b for n in range(-4, 7) for b in (10.0**n, 2 * 10.0**n, 5 * 10.0**n) if b <= extent_um / 3 or n == -4
    )
    x, y = width * 0.04, -height * 0.06
    axes.plot([x, x + bar / voxel], [y, y], color="black", lw=3, solid_capstyle="butt")
    axes.text(x + bar / voxel + width * 0.015, y, f"{bar:g} µm", va="center", fontsize=9)
    axes.set_ylim(-height * 0.1, height)
    axes.set_frame_on(False)


def _draw_cells(axes: Any, analysis: Analysis, hit: Any, shade: Any, index: Any) -> None:
    from matplotlib import colormaps

    numbers = analysis.cells.reshape(-1)[index]
    colours = [n for n in range(20) if n not in (14, 15)]  # without the greys of orphans
    palette = np.array([colormaps["tab20"](colours[n * 7 % 18])[:3] for n in range(int(numbers.max()) + 1)])
    palette[0] = _GREY
    image = np.ones((*hit.shape, 3))
    image[hit] = palette[numbers[hit]] * shade[hit][:, None]
    _frame(
        axes, image, analysis.morphometry.voxel_size_um, "By cell (grey: reaches no lacuna); x right, z up"
    )


def _draw_thickness(figure: Any, axes: Any, analysis: Analysis, hit: Any, shade: Any, index: Any) -> None:
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    thickness = analysis.thickness.reshape(-1)[index]
    scale = Normalize(0, float(analysis.thickness.max()) or 1.0)
    image = np.ones((*hit.shape, 3))
    image[hit] = colormaps["viridis"](scale(thickness[hit]))[:, :3] * shade[hit][:, None]
    _frame(axes, image, analysis.morphometry.voxel_size_um, "By local thickness")
    figure.colorbar(ScalarMappable(scale, "viridis"), ax=axes, label="local thickness (µm)", shrink=0.85)


def _draw_histogram(axes: Any, analysis: Analysis) -> None:
    table, settings = analysis.thickness_histogram, analysis.morphometry.parameters
    total = max(float(table["volume_um3"].sum()), 1e-300)
    width = table["upper_um"] - table["lower_um"]
    thin = table["canalicular_volume_um3"] / total / width
    thick = table["lacunar_volume_um3"] / total / width
    axes.bar(table["lower_um"], thin, width, align="edge", color="#4477aa", label="canaliculi")
    axes.bar(table["lower_um"], thick, width, thin, align="edge", color="#ee6677", label="lacunae")
    axes.axvspan(0, settings.resolution_um, color="0.8", zorder=0, label="below resolution")
    axes.axvline(settings.lacuna_thickness_um, color="black", ls="--", lw=1, label="lacuna from here")
    axes.set_xlim(left=0)
    axes.set_ylim(0, 1.05 * max(float((thin + thick).max(initial=0)), 1e-3))
    axes.set_xlabel("local thickness (µm)")
    axes.set_ylabel("volume fraction (1/µm)")
    axes.set_title("Local thickness, by volume", loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)


def _draw_table(axes: Any, values: Morphometry) -> None:
    axes.set_axis_off()
    drawn = axes.table(
        cellText=_lines(values),
        colLabels=["quantity", "value", "1 voxel in … out"],
        colWidths=[0.42, 0.25, 0.33],
        cellLoc="left",
        colLoc="left",
        edges="horizontal",
        bbox=[0, 0.16, 1, 0.84],
    )
    drawn.auto_set_font_size(False)  # noqa: FBT003  matplotlib's own signature
    drawn.set_fontsize(8)
    flags = "; ".join(values.flags) or "none"
    axes.text(0, 0.1, f"Flags: {flags}", fontsize=7, va="top", wrap=True, transform=axes.transAxes)


def _lines(values: Morphometry) -> list[list[str]]:
    lcn, found, fine = values.lcn, values.lacunae, values.canaliculi
    return [
        ["voxel; tissue volume", f"{values.voxel_size_um:g} µm; {values.tissue.volume_um3:,.0f} µm³", ""],
        ["porosity", _percent(lcn.porosity), _range(lcn.porosity_minus_1_voxel, lcn.porosity_plus_1_voxel, "%")],  # noqa: E501
        ["LCN over bone", _percent(lcn.porosity_of_bone), ""],
        ["lacunar porosity", _percent(lcn.lacunar_porosity),
         _range(lcn.lacunar_porosity_minus_1_voxel, lcn.lacunar_porosity_plus_1_voxel, "%")],
        ["canalicular porosity", _percent(lcn.canalicular_porosity),
         _range(lcn.canalicular_porosity_minus_1_voxel, lcn.canalicular_porosity_plus_1_voxel, "%")],
        ["mean, max thickness", f"{_um(lcn.thickness_mean_um)}, {_um(lcn.thickness_max_um)} µm",
         _range(lcn.thickness_mean_minus_1_voxel_um, lcn.thickness_mean_plus_1_voxel_um, "µm")],
        ["canalicular diameter", f"{_um(fine.diameter_mean_um)} µm",
         _range(fine.diameter_mean_minus_1_voxel_um, fine.diameter_mean_plus_1_voxel_um, "µm")],
        ["lacunae (cut by border)", f"{found.count} ({found.cut_count})",
         f"{_whole(found.count_minus_1_voxel)} … {_whole(found.count_plus_1_voxel)}"],
        ["lacunae per tissue volume", f"{found.density_per_mm3:,.0f} /mm³", ""],
        ["canalicular length density", f"{fine.length_density_um_per_um3:.3g} µm/µm³", ""],
        ["bone to nearest pore, p95", f"{_um(values.distance_to_pore.p95_um)} µm", ""],
    ]  # fmt: skip


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.2f} %"


def _um(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _whole(value: int | None) -> str:
    return "–" if value is None else str(value)


def _range(low: float | None, high: float | None, unit: str) -> str:
    factor = 100 if unit == "%" else 1
    ends = ["–" if end is None else f"{factor * end:.2f}" for end in (low, high)]
    return f"{ends[0]} … {ends[1]} {unit}"
