"""TIFF stacks: one file of many pages, or a folder with a file for each slice."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from streamlcn.errors import BadInput

__all__ = ["open_slices", "open_tiff", "tiff_tags"]

Opened: TypeAlias = tuple[
    tuple[int, ...], np.dtype[Any], tuple[float, ...], Callable[[int, int], npt.NDArray[Any]]
]

_UM_PER_CM = 1e4
_UM_PER_UNIT = {2: 25400.0, 3: _UM_PER_CM}  # TIFF's ResolutionUnit: inch, centimetre
_MICROMETRES = ("um", "µm", "\u03bcm", "\\u00B5m", "micron", "microns", "micrometer")


def open_tiff(path: Path, stack: ExitStack) -> Opened:
    """Return shape, dtype, voxel size and a reader of slices of a multi-page file."""
    import tifffile

    file = stack.enter_context(tifffile.TiffFile(path))
    if len(file.series) != 1:
        raise BadInput(f"{path} holds {len(file.series)} images of different kinds; give one stack (z, y, x)")
    series = file.series[0]
    shape = tuple(int(n) for n in series.shape)
    if len(shape) == 2:
        shape = (1, *shape)
    voxel = _voxel_edges(file)
    if series.dataoffset is not None:  # uncompressed and contiguous
        stored, offset = np.dtype(file.byteorder + series.dtype.char), series.dataoffset

        def mapped(start: int, stop: int) -> npt.NDArray[Any]:
            """Map anew for each slab: pages stay in the memory of the process as long as their map."""
            slab: npt.NDArray[Any] = file.filehandle.memmap_array(stored, shape, offset)[start:stop]
            return slab

        return shape, series.dtype, voxel, mapped
    if len(series.pages) != shape[0]:
        raise BadInput(
            f"{path} holds {shape[0]} slices in {len(series.pages)} page(s); give one page a slice"
        )

    def read(start: int, stop: int) -> npt.NDArray[Any]:
        if start == stop:
            return np.empty((0, *shape[1:]), series.dtype)
        return np.stack([series.asarray(key=z) for z in range(start, stop)])

    return shape, series.dtype, voxel, read


def open_slices(folder: Path) -> Opened:
    """Return shape, dtype, voxel size and a reader of slices of a folder of TIFF files."""
    import tifffile

    paths = sorted((p for p in folder.iterdir() if p.suffix.lower() in (".tif", ".tiff")), key=_natural)
    if not paths:
        raise BadInput(f"{folder} holds no .tif files")
    with tifffile.TiffFile(paths[0]) as first:
        shape, dtype, voxel = first.series[0].shape, first.series[0].dtype, _voxel_edges(first)
    if len(shape) != 2:
        raise BadInput(f"{paths[0]} has shape {shape}; each file of a folder is one slice (y, x)")

    def read(start: int, stop: int) -> npt.NDArray[Any]:
        out = np.empty((stop - start, *shape), dtype)
        for place, path in enumerate(paths[start:stop]):
            image = tifffile.imread(path)
            if image.shape != shape or image.dtype != dtype:
                raise BadInput(
                    f"{path} is {image.dtype} {image.shape}, unlike {paths[0].name}, {dtype} {shape}"
                )
            out[place] = image
        return out

    return (len(paths), *shape), dtype, voxel, read


def tiff_tags(voxel_size_um: float | None) -> dict[str, Any]:
    """Return tifffile's arguments that keep a voxel size where Fiji and others look for it."""
    if voxel_size_um is None:
        return {}
    per_cm = _UM_PER_CM / voxel_size_um
    return {
        "resolution": (per_cm, per_cm),
        "resolutionunit": "CENTIMETER",
        "metadata": {"voxel_size_um": voxel_size_um},
    }


def _voxel_edges(file: Any) -> tuple[float, ...]:
    """Return the voxel's edges: our own exact number, else what the resolution tags and ImageJ say."""
    for description in file.shaped_metadata or ():
        if "voxel_size_um" in description:
            return (float(description["voxel_size_um"]),)
    tags, imagej = file.pages[0].tags, file.imagej_metadata or {}
    lengths = [_length(tags[name].value) for name in ("XResolution", "YResolution") if name in tags]
    if not lengths or 0 in lengths:
        return ()
    if imagej.get("unit") in _MICROMETRES:
        spacing = abs(float(imagej.get("spacing", lengths[0])))
        return (*lengths, spacing) if spacing > 0 else tuple(lengths)
    unit = int(tags["ResolutionUnit"].value) if "ResolutionUnit" in tags else 0
    if unit == 2 and lengths[0] >= 1 / 600:  # 72, 96, 300 dpi: what programs write for paper
        return ()
    return tuple(_UM_PER_UNIT[unit] * length for length in lengths) if unit in _UM_PER_UNIT else ()


def _length(resolution: tuple[int, int]) -> float:
    """Return the edge of a pixel in the tag's unit of length; 0 where the tag is empty."""
    numerator, denominator = resolution
    return denominator / numerator if numerator and denominator else 0.0


def _natural(path: Path) -> list[Any]:
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path.name)]
