"""Statistics of whole squared radii and distances: histograms add, so slabs and threads change nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from streamlcn.morphometry.settings import MorphometryParameters

__all__ = ["Tally", "radius_counts", "thickness_histogram"]

_Counts = npt.NDArray[np.int64]


class Tally:
    """Numbers of voxels by squared length; ``scale_um`` turns a root into micrometres."""

    def __init__(self, counts: _Counts, scale_um: float) -> None:
        self._where = np.flatnonzero(counts)
        self._counts = counts[self._where]
        self._values = np.sqrt(self._where.astype(np.float64)) * scale_um
        self.total = int(self._counts.sum())

    @property
    def mean(self) -> float | None:
        """Mean, or None of nothing."""
        return float(self._values @ self._counts / self.total) if self.total else None

    @property
    def sd(self) -> float | None:
        """Standard deviation over the voxels."""
        mean = self.mean
        if mean is None:
            return None
        return float(np.sqrt((self._values - mean) ** 2 @ self._counts / self.total))

    @property
    def largest(self) -> float | None:
        """Largest value."""
        return float(self._values[-1]) if self.total else None

    def percentile(self, percent: float) -> float | None:
        """Smallest value that at least ``percent`` of the voxels do not exceed."""
        if not self.total:
            return None
        reached = 100 * np.cumsum(self._counts) >= percent * self.total  # no rounding at a step
        return float(self._values[int(np.argmax(reached))])

    def fraction_below(self, value_um: float) -> float | None:
        """Part of the voxels whose value is smaller."""
        return float(self._counts[self._values < value_um].sum() / self.total) if self.total else None

    def binned(self, edges_um: npt.NDArray[Any]) -> _Counts:
        """Voxels in each half-open bin [lower, upper)."""
        return np.histogram(self._values, bins=edges_um, weights=self._counts)[0].astype(np.int64)


def radius_counts(radii: npt.NDArray[Any], lacunae: npt.NDArray[np.int32]) -> _Counts:
    """Return (2, n) voxel counts by squared radius: canalicular in row 0, lacunar in row 1."""
    length = int(radii.max(initial=0)) + 1
    return np.stack([np.bincount(radii[part], minlength=length) for part in (lacunae == 0, lacunae > 0)])


def thickness_histogram(
    canalicular: Tally, lacunar: Tally, voxel_size_um: float, parameters: MorphometryParameters
) -> dict[str, npt.NDArray[Any]]:
    """Return columns lower_um, upper_um, volume_um3, fraction, volumes of both parts, is_at_resolution_limit.

    A bin is at the limit where it begins below the resolution or holds two voxels, the least thickness there
    is: its volume is no thicker than that, which is all one knows.
    """
    bin_um = parameters.histogram_bin_um
    largest = max(canalicular.largest or 0.0, lacunar.largest or 0.0)
    edges = np.arange(int(largest / bin_um) + 2) * bin_um
    if edges[-1] <= largest:
        edges = np.append(edges, len(edges) * bin_um)
    thin, thick = canalicular.binned(edges), lacunar.binned(edges)
    total = canalicular.total + lacunar.total
    volume = voxel_size_um**3
    floor = max(parameters.resolution_um, np.nextafter(2 * voxel_size_um, np.inf))
    return {
        "lower_um": edges[:-1],
        "upper_um": edges[1:],
        "volume_um3": (thin + thick) * volume,
        "fraction": (thin + thick) / max(total, 1),
        "canalicular_volume_um3": thin * volume,
        "lacunar_volume_um3": thick * volume,
        "is_at_resolution_limit": edges[:-1] < floor,
    }
