"""Labels to morphometry."""

from __future__ import annotations

import math
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from streamlcn.cli._output import json_option, print_json, print_values, warn
from streamlcn.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    import numpy.typing as npt

    from streamlcn.files import VolumeReader
    from streamlcn.morphometry import SlabAnalysis

__all__ = ["measure"]

_SAME = 1e-3
_FIGURES = (".png", ".pdf", ".svg")
_SLAB_VOXELS = 2**23  # read at once: about 64 MB while they are measured


class _Edges(click.ParamType[tuple[float, ...]]):
    """One length, or three with commas so that three unequal ones can be refused with the reason."""

    name = "V"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the lengths."""
        try:
            return tuple(float(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is not a number of micrometres", param, ctx)


class _Classes(click.ParamType[dict[str, int]]):
    """``bone=128,lcn=255``."""

    name = "NAME=VALUE,..."

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return values by name."""
        found: dict[str, int] = {}
        for part in str(value).split(","):
            name, equals, number = (text.strip() for text in part.partition("="))
            if not equals or not number.isdecimal() or name in found:
                self.fail(f"{part!r} is not NAME=VALUE, each name once, such as bone=128,lcn=255", param, ctx)
            found[name] = int(number)
        return found


@click.command()
@click.argument("mask")
@click.option(
    "--voxel-size-um", "edges", type=_Edges(), help="Edge of a voxel; by default what the file says."
)
@click.option("--classes", type=_Classes(), help="Values of a mask labelled otherwise, as bone=128,lcn=255.")
@click.option("--csv", type=click.Path(path_type=Path), metavar="FILE", help="Write one row per lacuna here.")
@click.option(
    "--figure", type=click.Path(path_type=Path), metavar="FILE", help="Write a figure (PNG, PDF, SVG)."
)
@json_option
def measure(
    mask: str,
    edges: tuple[float, ...] | None,
    classes: dict[str, int] | None,
    csv: Path | None,
    figure: Path | None,
    as_json: bool,
) -> None:
    """Measure the LCN of a label volume (0 background, 1 bone, 2 LCN, 3 shade-off).

    MASK is file.h5:/path, a zarr array, a .npy file or a TIFF stack, and may be larger than memory: it is
    read by slabs, three times. Voxels must be cubic.

    \b
    Example:
      streamlcn measure scan.h5:/labels --voxel-size-um 0.1879 --csv lacunae.csv --json
    """
    from streamlcn.files import open_volume

    _check_places(csv, figure)
    with open_volume(mask) as volume:
        analysis = _analysed(mask, volume, _voxel_size(mask, volume, edges), classes)
        made_of = volume.provenance
    from streamlcn.morphometry import save_figure, write_lacunae_csv

    if csv is not None:
        write_lacunae_csv(analysis, csv)
    if figure is not None:
        save_figure(analysis, figure, title=Path(mask.partition(":")[0]).name)
    values = analysis.morphometry.model_dump(mode="json")
    if as_json:
        print_json({**values, "file": mask, "provenance": made_of})
        return
    print_values(f"Morphometry of {mask}", _rows(values))
    for flag in values["flags"]:
        warn(flag)


def _check_places(csv: Path | None, figure: Path | None) -> None:
    for path in (csv, figure):
        if path is not None and not path.absolute().parent.is_dir():
            raise BadInput(f"{path}: the folder {path.absolute().parent} does not exist")
    if figure is not None and figure.suffix.lower() not in _FIGURES:
        raise BadInput(f"{figure}: a figure is one of {', '.join(_FIGURES)}")
    if figure is not None and find_spec("matplotlib") is None:
        raise BadInput("--figure needs matplotlib, which is not installed: pip install 'streamlcn[demo]'")


def _analysed(mask: str, volume: VolumeReader, voxel: float, classes: dict[str, int] | None) -> SlabAnalysis:
    """Measure a volume that may be larger than memory, slab by slab."""
    from streamlcn.morphometry import analyse_streamed

    _, height, width = volume.shape
    read = volume.read if classes is None else _relabelled(mask, volume, classes)
    return analyse_streamed(read, volume.shape, voxel, slab_height=max(1, _SLAB_VOXELS // (height * width)))


def _relabelled(
    mask: str, volume: VolumeReader, classes: dict[str, int]
) -> Callable[[int, int], npt.NDArray[np.uint8]]:
    """Return a reader of slices with our own values; `BadInput` for unknown names, and values as it reads."""
    import numpy as np

    from streamlcn.model import CLASS_NAMES

    strange = [name for name in classes if name not in CLASS_NAMES]
    if strange:
        raise BadInput(f"--classes: there is no class {strange[0]!r}, known are {', '.join(CLASS_NAMES)}")
    if len(set(classes.values())) != len(classes):
        raise BadInput(f"--classes gives one value to two names: {classes}")
    known = {0: 0} | {value: CLASS_NAMES.index(name) for name, value in classes.items()}
    unnamed = len(CLASS_NAMES)

    def read(start: int, stop: int) -> npt.NDArray[np.uint8]:
        stored = volume.read(start, stop)
        out = np.full(stored.shape, unnamed, np.uint8)
        for value, label in known.items():
            out[stored == value] = label
        wrong = stored[out == unnamed]
        if wrong.size:
            raise BadInput(f"{mask} holds the value {wrong.min():g}, which --classes does not name")
        return out

    return read


def _voxel_size(mask: str, volume: VolumeReader, edges: tuple[float, ...] | None) -> float:
    """Return what is said, else what the file says; raises `BadInput` without either."""
    if edges is not None:
        said = edges[0]
        if len(edges) not in (1, 3) or not all(math.isfinite(edge) and edge > 0 for edge in edges):
            raise BadInput(f"--voxel-size-um {edges}: give one length above 0, the edge of a cubic voxel")
        if any(edge != said for edge in edges):
            raise BadInput(f"voxels of {edges} um are not cubic: resample the volume to cubic voxels first")
        try:
            stored = volume.voxel_size_um
        except BadInput as error:
            warn(str(error))
            return said
        if stored is not None and abs(said / stored - 1) > _SAME:
            warn(f"{mask} says that its voxels are {stored:g} um; {said:g} um is taken, as you say")
        return said
    if volume.voxel_size_um is None:
        raise BadInput(f"{mask} does not say how large its voxels are: give --voxel-size-um")
    return volume.voxel_size_um


def _rows(values: dict[str, Any]) -> list[tuple[str, Any]]:
    return [
        (f"{section}.{name}", value)
        for section, content in values.items()
        if isinstance(content, dict) and section != "parameters"
        for name, value in content.items()
        if isinstance(value, int | float | str | bool)
    ]
