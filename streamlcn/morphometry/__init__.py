"""From labels to numbers: cleaning, porosity, local thickness, lacunae, cells, canaliculi.

Importing this package loads neither numba nor matplotlib; using its functions does.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from streamlcn.morphometry.settings import MorphometryParameters

if TYPE_CHECKING:
    from streamlcn.morphometry._analyse import (
        analyse,
        analyse_streamed,
        label_maps,
        measure,
        measure_streamed,
    )
    from streamlcn.morphometry._bonej import local_thickness_bonej
    from streamlcn.morphometry._components import components, components_streamed
    from streamlcn.morphometry._configurations import euler
    from streamlcn.morphometry._figure import save_figure
    from streamlcn.morphometry._leaving import primary_canaliculi
    from streamlcn.morphometry._result import Analysis, Morphometry, SlabAnalysis
    from streamlcn.morphometry._rows import write_lacunae_csv
    from streamlcn.morphometry._shape import order_parameter, shape
    from streamlcn.morphometry._skeleton import skeleton
    from streamlcn.morphometry._stream import local_thickness_streamed
    from streamlcn.morphometry._thickness import local_thickness

__all__ = [
    "Analysis",
    "Morphometry",
    "MorphometryParameters",
    "SlabAnalysis",
    "analyse",
    "analyse_streamed",
    "components",
    "components_streamed",
    "euler",
    "label_maps",
    "local_thickness",
    "local_thickness_bonej",
    "local_thickness_streamed",
    "measure",
    "measure_streamed",
    "order_parameter",
    "primary_canaliculi",
    "save_figure",
    "shape",
    "skeleton",
    "write_lacunae_csv",
]

_HOMES = {
    "Analysis": "_result",
    "Morphometry": "_result",
    "SlabAnalysis": "_result",
    "analyse": "_analyse",
    "analyse_streamed": "_analyse",
    "components": "_components",
    "components_streamed": "_components",
    "euler": "_configurations",
    "label_maps": "_analyse",
    "local_thickness": "_thickness",
    "local_thickness_bonej": "_bonej",
    "local_thickness_streamed": "_stream",
    "measure": "_analyse",
    "measure_streamed": "_analyse",
    "order_parameter": "_shape",
    "primary_canaliculi": "_leaving",
    "save_figure": "_figure",
    "shape": "_shape",
    "skeleton": "_skeleton",
    "write_lacunae_csv": "_rows",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
