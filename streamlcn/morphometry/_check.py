"""Refuse what cannot be measured, and say why."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from streamlcn.errors import BadInput
from streamlcn.model import CLASS_NAMES, Label

__all__ = ["as_labels", "checked_mask", "checked_volume", "checked_voxel_size", "known_values"]


def checked_voxel_size(voxel_size_um: object) -> float:
    """Return the edge of a cubic voxel in micrometres.

    Three equal edges are accepted; anything else but one positive number raises `BadInput`.
    """
    edges = list(np.ravel(np.asarray(voxel_size_um, dtype=object)))
    if not edges or not all(_is_number(edge) for edge in edges):
        raise BadInput(f"voxel size {voxel_size_um!r} is not a positive number of micrometres")
    if len(edges) not in (1, 3):
        raise BadInput(f"voxel size {voxel_size_um!r} must be one number, the edge of a cubic voxel in um")
    if any(edge != edges[0] for edge in edges):
        raise BadInput(
            f"voxels of {voxel_size_um!r} um are not cubic: resample the volume to cubic voxels first"
        )
    return float(edges[0])


def _is_number(value: Any) -> bool:
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        return False
    return bool(math.isfinite(value) and value > 0)


def checked_mask(mask: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Return a C-contiguous boolean (z, y, x) array; integers are accepted if they are 0 and 1 only."""
    array = np.asarray(mask)
    _check_shape(array, "mask")
    if array.dtype != np.bool_:
        if array.dtype.kind not in "ui":
            raise BadInput(f"mask is {array.dtype}, not boolean: threshold it first")
        if array.min() < 0 or array.max() > 1:
            raise BadInput(
                f"mask holds values {array.min()} to {array.max()}: pass booleans, such as labels == 2"
            )
        array = array.astype(np.bool_)
    return np.ascontiguousarray(array)


def checked_volume(labels: npt.ArrayLike) -> npt.NDArray[Any]:
    """Return labels as an array with three axes (z, y, x), none of them empty, and an integer type."""
    array = np.asarray(labels)
    _check_shape(array, "label volume")
    if array.dtype.kind not in "ui":
        raise BadInput(
            f"label volume is {array.dtype}, not an integer type: pass labels "
            "0 background, 1 bone, 2 lcn, 3 shade_off"
        )
    return array


def as_labels(labels: npt.ArrayLike, known: Mapping[int, int]) -> npt.NDArray[np.uint8]:
    """Return labels as contiguous uint8 (z, y, x) of `Label` values, translated as ``known`` says.

    Raises `BadInput` for values that are not known and for what is no label volume.
    """
    array = checked_volume(labels)
    lookup = _lookup(array, known)
    return np.ascontiguousarray(array, np.uint8) if lookup is None else lookup


def _check_shape(array: npt.NDArray[Any], what: str) -> None:
    if array.ndim != 3 or array.size == 0:
        raise BadInput(
            f"{what} has shape {array.shape}: three axes (z, y, x), none of them empty, are needed"
        )


def known_values(classes: Mapping[str, int] | None) -> dict[int, int]:
    """Return which `Label` each value of a volume means.

    ``classes`` names the values of a volume labelled otherwise, such as ``{"bone": 128, "lcn": 255}``.
    """
    if classes is None:
        return {int(label): int(label) for label in Label}
    unknown = sorted(set(classes) - set(CLASS_NAMES))
    if unknown:
        raise BadInput(f"classes names {unknown}; known are {list(CLASS_NAMES)}")
    if len(set(classes.values())) != len(classes):
        raise BadInput(f"classes {dict(classes)} gives one value to two names")
    known = {int(value): CLASS_NAMES.index(name) for name, value in classes.items()}
    known.setdefault(0, int(Label.BACKGROUND))
    return known


def _lookup(array: npt.NDArray[Any], known: Mapping[int, int]) -> npt.NDArray[np.uint8] | None:
    """Return translated labels, or None where the values are already those of `Label`."""
    found = _distinct(array)
    wrong = [value for value in found if value not in known]
    if wrong:
        raise BadInput(
            f"label volume holds value(s) {wrong[:8]}, but only {dict(known)} (value: class) are known: "
            "0 background, 1 bone, 2 lcn, 3 shade_off; pass classes= for others"
        )
    if all(known[value] == value for value in found):
        return None
    out = np.zeros(array.shape, np.uint8)
    for value in found:
        out[array == value] = known[value]
    return out


def _distinct(array: npt.NDArray[Any]) -> Sequence[int]:
    if array.dtype == np.uint8:
        counts = np.zeros(256, np.int64)
        for plane in array:  # bincount widens what it is given: one slice at a time
            counts += np.bincount(plane.ravel(), minlength=256)
        return [int(value) for value in np.nonzero(counts)[0]]
    return [int(value) for value in np.unique(array)]
