"""Centre lines of canaliculi: how long, how many, how wide, how winding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from streamlcn.morphometry._branches import branches, smooth_lengths
from streamlcn.morphometry._check import checked_mask
from streamlcn.morphometry._network import Network, around, network_of
from streamlcn.morphometry._thinning import thinned
from streamlcn.progress import Progress, unheard

__all__ = ["CentreLines", "centre_lines", "skeleton"]

_SHORTEST = 5.0  # voxels from end to end from which a branch has a tortuosity


@dataclass(frozen=True, slots=True, kw_only=True)
class CentreLines:
    """A network as branches between ends and junctions; lengths in voxels, one a branch.

    ``voxels``: numbers of the thinned voxels in their network; ``end_voxels`` those with one neighbour.
    """

    lengths: npt.NDArray[np.float64]
    chords: npt.NDArray[np.float64]
    junctions: int
    voxels: npt.NDArray[np.int64]
    end_voxels: npt.NDArray[np.int64]

    @property
    def tortuosity(self) -> float | None:
        """Length over end-to-end distance, summed over branches at least 5 voxels from end to end."""
        long = self.chords >= _SHORTEST
        return float(self.lengths[long].sum() / self.chords[long].sum()) if long.any() else None


def skeleton(mask: npt.ArrayLike, smoothing_voxels: int = 2) -> dict[str, float]:
    """Return ``length`` (voxels, smoothed), ``branches``, ``end_points``, ``junctions`` of centre lines.

    Thinning after Lee et al. 1994, with the bits of scikit-image. Junction voxels that touch make one.
    """
    network = network_of(checked_mask(mask))
    lines = centre_lines(network, network.places(), np.zeros(network.size, np.int32), smoothing_voxels)
    return {
        "length": float(lines.lengths.sum()),
        "branches": len(lines.lengths),
        "end_points": len(lines.end_voxels),
        "junctions": lines.junctions,
    }


def centre_lines(
    network: Network,
    places: npt.NDArray[np.int64],
    lacunae: npt.NDArray[np.int32],
    smoothing_voxels: int,
    tell: Progress = unheard,
) -> CentreLines:
    """Return the centre lines of a network outside its lacunae.

    ``places`` and ``lacunae`` (0: none) hold one entry a voxel.
    """
    thin, voxels = network.part(thinned(network, places, tell) & (lacunae == 0))
    graph = branches(thin)
    return CentreLines(
        lengths=smooth_lengths(graph.points, graph.offset, smoothing_voxels),
        chords=graph.chords,
        junctions=graph.junctions,
        voxels=voxels,
        end_voxels=voxels[graph.degree == 1],
    )


def ends(
    network: Network,
    places: npt.NDArray[np.int64],
    lacunae: npt.NDArray[np.int32],
    squared: npt.NDArray[Any],
    lines: CentreLines,
) -> tuple[int, int]:
    """Return how many ends of centre lines touch a lacuna, and how many others lie at a face of the volume.

    At a face: the inscribed ball about the end reaches it. What remains are blind ends.
    """
    at_lacuna, at_face = _ends(network, places, lacunae, squared, lines.end_voxels)
    return int(at_lacuna), int(at_face)


@njit(cache=True)
def _ends(net: Any, places: Any, lacunae: Any, squared: Any, end_voxels: Any) -> Any:
    near = np.empty(27, np.int64)
    at_lacuna, at_face = 0, 0
    for n in end_voxels:
        row, x = divmod(places[n], net.width)
        z, y = divmod(row, net.height)
        around(net, z, y, x, near)
        touches = 0
        for m in near:
            if m >= 0 and lacunae[m] > 0:
                touches = 1
        reach = np.sqrt(float(squared[n])) + 1
        to_face = min(z, y, x, net.depth - 1 - z, net.height - 1 - y, net.width - 1 - x)
        at_lacuna += touches
        if touches == 0 and to_face <= reach:
            at_face += 1
    return at_lacuna, at_face
