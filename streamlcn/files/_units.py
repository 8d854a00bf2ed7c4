"""Numbers with units out of HDF5 files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import h5py
import numpy as np

from streamlcn.errors import BadInput

__all__ = ["ANGLES", "ENERGIES", "LENGTHS", "quantity", "unit_of"]

_DEGREE = np.pi / 180
ANGLES = {"degree": _DEGREE, "degrees": _DEGREE, "deg": _DEGREE, "radian": 1.0, "radians": 1.0, "rad": 1.0}
"""Factors to radians."""
LENGTHS = {
    **dict.fromkeys(("m", "meter", "metre"), 1e6),
    **dict.fromkeys(("mm", "millimeter", "millimetre"), 1e3),
    **dict.fromkeys(("um", "µm", "\u03bcm", "micron", "microns", "micrometer", "micrometre"), 1.0),
    **dict.fromkeys(("nm", "nanometer", "nanometre"), 1e-3),
}
"""Factors to micrometres."""
ENERGIES = {"kev": 1.0, "ev": 1e-3, "mev": 1e3}
"""Factors to keV; lower case, as energies come as keV and KeV."""


def unit_of(dataset: h5py.Dataset) -> str | None:
    """Return the ``units`` attribute as text, or None."""
    unit = dataset.attrs.get("units")
    if isinstance(unit, np.ndarray) and unit.size == 1:
        unit = unit.reshape(-1)[0]
    if isinstance(unit, bytes):
        unit = unit.decode("utf-8", "replace")
    return unit.strip() if isinstance(unit, str) and unit.strip() else None


def quantity(group: h5py.Group, path: str, factors: Mapping[str, float]) -> float | None:
    """Return the scalar at ``path`` in the unit that ``factors`` lead to.

    None where there is no such dataset, or where it does not say its unit: a number without a unit is no
    length. Raises `BadInput` for an unknown unit or something that is not one finite number.
    """
    dataset: Any = group.get(path)
    if not isinstance(dataset, h5py.Dataset) or (unit := unit_of(dataset)) is None:
        return None
    where = f"{group.file.filename}:{dataset.name}"
    factor = factors.get(unit, factors.get(unit.lower()))
    if factor is None:
        raise BadInput(f"{where} is in {unit!r}; known units are {', '.join(factors)}")
    value = np.asarray(dataset[()])
    if value.size != 1 or value.dtype.kind not in "iuf" or not np.isfinite(value).all():
        raise BadInput(f"{where} should be one finite number but is {value!r}")
    return float(value.reshape(-1)[0]) * factor
