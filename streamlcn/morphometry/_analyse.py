"""From labels to all numbers and maps, whether the volume is at hand or comes in slabs: one way for both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from streamlcn.model import Label
from streamlcn.morphometry._cells import cells
from streamlcn.morphometry._check import checked_volume, checked_voxel_size
from streamlcn.morphometry._clean import clean
from streamlcn.morphometry._distance import DistanceTally
from streamlcn.morphometry._flags import flags
from streamlcn.morphometry._lacunae import core_voxels
from streamlcn.morphometry._network import Network
from streamlcn.morphometry._parting import moved, part
from streamlcn.morphometry._result import Analysis, Morphometry, SlabAnalysis
from streamlcn.morphometry._rows import lacuna_rows, lacunae_table
from streamlcn.morphometry._skeleton import centre_lines
from streamlcn.morphometry._source import LabelSource, Read, source_of_array, source_of_reader
from streamlcn.morphometry._statistics import Tally, thickness_histogram
from streamlcn.morphometry._summary import Measured, summary
from streamlcn.morphometry.settings import MorphometryParameters
from streamlcn.progress import Progress, part_of, unheard

__all__ = ["analyse", "analyse_streamed", "label_maps", "measure", "measure_streamed"]

_DEFAULT = MorphometryParameters()
_SHARES = (0.14, 0.04, 0.15, 0.06, 0.07, 0.22, 0.12, 0.17, 0.03)  # of the steps in `_analysis`


def measure(
    labels: npt.ArrayLike, voxel_size_um: float, *, classes: Mapping[str, int] | None = None
) -> Morphometry:
    """Return the morphometry of (z, y, x) integer ``labels``: 0 background, 1 bone, 2 lcn, 3 shade_off.

    ``classes`` names other values, such as ``{"bone": 128, "lcn": 255}``. An empty network gives porosity 0,
    None for what it has not, and a flag. Raises `BadInput` for unknown values, types that are not integers,
    voxels that are not cubic, and volumes without bone.
    """
    source = source_of_array(checked_volume(labels), classes)
    return _analysis(source, checked_voxel_size(voxel_size_um), _DEFAULT).morphometry


def measure_streamed(
    read: Read,
    shape: tuple[int, int, int],
    voxel_size_um: float,
    *,
    slab_height: int = 32,
    classes: Mapping[str, int] | None = None,
) -> Morphometry:
    """Return what `measure` returns, equal to the last bit, of a volume that is read slab by slab.

    ``read(start, stop)`` returns slices of the label volume of ``shape`` (z, y, x); each is asked for three
    times, in z order, with one slice more on each side the second time. Holds slabs of ``slab_height`` + 6
    slices at about 8 bytes a voxel, a plane at 16 bytes a pixel, 16 bytes a row of the volume, and the
    network at about 64 bytes a pore voxel: never the volume. Errors as of `measure`.
    """
    return analyse_streamed(read, shape, voxel_size_um, slab_height=slab_height, classes=classes).morphometry


def analyse(
    labels: npt.ArrayLike,
    voxel_size_um: float,
    parameters: MorphometryParameters = _DEFAULT,
    *,
    tell: Progress = unheard,
) -> Analysis:
    """Return morphometry with maps and tables of (z, y, x) integer ``labels``; errors as of `measure`.

    ``tell`` is told the share of the work that is done, the last time 1.
    """
    source = source_of_array(checked_volume(labels), None)
    found = _analysis(source, checked_voxel_size(voxel_size_um), parameters, part_of(tell, 0, 0.96))
    maps = found.maps(0, source.shape[0])
    tell(1.0)
    return Analysis(
        morphometry=found.morphometry,
        lacunae_table=found.lacunae_table,
        thickness_histogram=found.thickness_histogram,
        lcn=maps["lcn"],
        lacunae=maps["lacunae"],
        cells=maps["cells"],
        thickness=maps["thickness"],
    )


def analyse_streamed(
    read: Read,
    shape: tuple[int, int, int],
    voxel_size_um: float,
    parameters: MorphometryParameters = _DEFAULT,
    *,
    slab_height: int = 32,
    classes: Mapping[str, int] | None = None,
    tell: Progress = unheard,
) -> SlabAnalysis:
    """Return what `analyse` does, with maps by slabs; arguments, memory, errors as of `measure_streamed`."""
    source = source_of_reader(read, shape, slab_height, classes)
    return _analysis(source, checked_voxel_size(voxel_size_um), parameters, tell)


def label_maps(labels: npt.ArrayLike, voxel_size_um: float) -> dict[str, npt.NDArray[Any]]:
    """Return the cleaned network ``lcn`` (bool), ``lacunae`` and ``cells`` (int32), all (z, y, x)."""
    analysis = analyse(labels, voxel_size_um)
    return {"lcn": analysis.lcn, "lacunae": analysis.lacunae, "cells": analysis.cells}


def _steps(tell: Progress) -> Iterator[Progress]:
    """Yield what each step tells its share to; how long they take was measured on phantoms."""
    done = 0.0
    for share in _SHARES:
        yield part_of(tell, done, done + share)
        done += share


def _analysis(
    source: LabelSource, voxel: float, parameters: MorphometryParameters, tell: Progress = unheard
) -> SlabAnalysis:
    cleaning, inward, outward, parting, growing, far, thinning, rows, closing = _steps(tell)
    cleaned = clean(source, parameters, cleaning)
    inner = moved(cleaned.inner, cleaned.tissue_voxels, voxel, parameters, inward)
    outer = moved(cleaned.outer, cleaned.tissue_voxels, voxel, parameters, outward)
    network = cleaned.lcn
    parted = part(network, voxel, parameters, parting)
    places = network.places()
    number = parted.found.number
    cell = cells(network, places, number)
    growing(1.0)
    to_pore, to_lacuna = _distances(source, network, number, voxel, far)
    smoothing = parameters.skeleton_smoothing_voxels
    measured = Measured(
        voxel=voxel,
        cleaned=cleaned,
        parted=parted,
        inner=inner,
        outer=outer,
        cell=cell,
        places=places,
        lines=centre_lines(network, places, number, smoothing, thinning),
        rows=lacuna_rows(cleaned, parted, cell, voxel, parameters, rows),
        to_pore=to_pore,
        to_lacuna=to_lacuna,
    )
    values = summary(measured, parameters)
    values = values.model_copy(
        update={"flags": flags(values, _by_cut(network, parted.radii, voxel, parameters))}
    )
    closing(1.0)
    return SlabAnalysis(
        morphometry=values,
        lacunae_table=lacunae_table(measured.rows),
        thickness_histogram=thickness_histogram(parted.thin, parted.thick, voxel, parameters),
        network=network,
        lacunae=number,
        cells=cell,
        squared_radii=parted.radii,
    )


def _distances(
    source: LabelSource, network: Network, lacunae: npt.NDArray[np.int32], voxel: float, tell: Progress
) -> tuple[Tally, Tally]:
    """Return distances of bone to the nearest pore and to the nearest lacuna."""
    to_pore, to_lacuna = DistanceTally(network), DistanceTally(network.part(lacunae > 0)[0])
    for start, stop in source.bounds(tell):
        bone = source.slices(start, stop) != Label.BACKGROUND
        bone &= ~network.dense(None, start, stop)
        to_pore.add(start, bone)
        to_lacuna.add(start, bone)
    return Tally(to_pore.counts, voxel), Tally(to_lacuna.counts, voxel)


def _by_cut(
    network: Network, radii: npt.NDArray[Any], voxel: float, parameters: MorphometryParameters
) -> dict[float, int]:
    """Return the lacunar voxels that other cuts of thickness would give, by factor."""
    cut = parameters.lacuna_thickness_um
    return {f: core_voxels(network, radii, voxel, f * cut, parameters) for f in (0.8, 1.0, 1.3)}
