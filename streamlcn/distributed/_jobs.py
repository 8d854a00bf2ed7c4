"""What travels to workers and back: names and numbers, never frames."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
import numpy.typing as npt

from streamlcn.reconstruction.settings import FbpSettings
from streamlcn.segmentation.settings import Precision
from streamlcn.shortage import Shortage

__all__ = ["Done", "GrowJob", "LabelJob", "Plane", "SlabFile", "made_with"]


@cache
def made_with() -> tuple[str, ...]:
    """Return the versions that the bits of a result depend on; builds of one version count as equal."""
    names = ("streamlcn", "numpy", "scipy", "numba", "torch")
    return tuple(f"{name} {version(name).partition('+')[0]}" for name in names)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plane:
    """One plane of a slab: axis 0 (y, x), 1 (z, x), 2 (z, y); ``index`` counts from the slab's beginning."""

    axis: int
    index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GrowJob:
    """Bring slices ``first`` to ``last`` of a volume to its first ``count`` steps.

    ``steps`` is the file in ``folder`` that lists them, ``attempt`` names the volume. ``out`` is the file to
    write, times ``scale``: the slab, or one ``plane`` of it; None where the slab only grows. After
    ``is_last`` nobody asks for it again.
    """

    made_with: tuple[str, ...]
    folder: Path
    attempt: str
    steps: str
    count: int
    first: int
    last: int
    columns: int
    centre: float
    method: FbpSettings
    out: str | None = None
    plane: Plane | None = None
    scale: float = 1.0
    is_last: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SlabFile:
    """Slices ``first`` to ``last`` of a volume, (z, y, x) float32, in a file."""

    path: Path
    first: int
    last: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelJob:
    """Label slices ``first`` to ``last`` of the volume (z, y, x) ``shape`` in ``slabs``, into ``out``.

    ``scale`` is (low, high, clip) of the whole volume; ``bundle`` is the model's folder.
    """

    made_with: tuple[str, ...]
    slabs: tuple[SlabFile, ...]
    shape: tuple[int, int, int]
    first: int
    last: int
    scale: tuple[float, float, tuple[float, float]]
    bundle: Path
    sha256: str
    device: str
    precision: Precision
    out: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What became of a job: seconds, bytes read and written, steps added, CRC-32 of what was written.

    ``likely`` (z, class) and ``ambiguous`` (z,) are a label job's tally. ``shortages`` of memory were met.
    """

    worker: str
    seconds: float
    bytes_read: int
    bytes_written: int = 0
    steps: int = 0
    crc32: int = 0
    shortages: tuple[Shortage, ...] = ()
    likely: npt.NDArray[np.float64] | None = None
    ambiguous: npt.NDArray[np.float64] | None = None
