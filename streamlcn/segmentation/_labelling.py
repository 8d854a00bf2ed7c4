"""Labels as they come out of a network, with the porosity that its probabilities stand for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
from torch import Tensor

from streamlcn.model import CLASS_NAMES, Mask
from streamlcn.segmentation._frugal import here_or_on_cpu

__all__ = ["Labelling", "PorosityInterval", "Tally"]

_TISSUE = ("bone", "lcn", "shade_off")


@dataclass(frozen=True, slots=True, kw_only=True)
class PorosityInterval:
    """Expected LCN over bone, shade-off and LCN, and how far the truth of known bones was from it at most."""

    expected: float
    low: float
    high: float


@dataclass(slots=True)
class Tally:
    """Sums over the voxels of each slice, float64: what adds is summed, what divides comes last.

    ``likely`` (z, class): probabilities; ``ambiguous`` (z,): p (1 - p) of the LCN, the variance of a voxel
    that is LCN with probability p.
    """

    classes: tuple[str, ...]
    likely: npt.NDArray[np.float64]
    ambiguous: npt.NDArray[np.float64]

    def add(self, z: int, probabilities: Tensor) -> None:
        """Take the probabilities (class, y, x) of slice z."""
        self.likely[z] = probabilities.double().sum(dim=(1, 2)).cpu().numpy()
        if "lcn" in self.classes:
            lcn = probabilities[self.classes.index("lcn")].double()
            self.ambiguous[z] = float((lcn * (1 - lcn)).sum())

    def porosity(self, slices: npt.NDArray[np.intp] | None = None) -> tuple[float, float] | None:
        """Return expected porosity and ambiguous share of the tissue; None where none is expected."""
        chosen = slice(None) if slices is None else slices
        sums = dict(zip(self.classes, self.likely[chosen].sum(axis=0).tolist(), strict=True))
        tissue = sum(sums.get(name, 0.0) for name in _TISSUE)
        if tissue <= 0 or "lcn" not in sums:
            return None
        return sums["lcn"] / tissue, float(self.ambiguous[chosen].sum()) / tissue

    def interval(self, spread: float | None) -> PorosityInterval | None:
        """Return the porosity ``spread`` ambiguous shares wide; None without a spread, or without tissue."""
        found = self.porosity()
        if found is None or spread is None:
            return None
        expected, ambiguous = found
        reach = spread * ambiguous
        return PorosityInterval(
            expected=expected, low=max(0.0, expected - reach), high=min(1.0, expected + reach)
        )


class Labelling(Iterator[Mask]):
    """Yields slabs of labels, z upwards; afterwards ``porosity`` tells what the probabilities add up to.

    ``logits`` yields one (class, y, x) per slice, ``likely`` makes calibrated probabilities of it, ``spread``
    is how many ambiguous shares wide the interval is on either side (None: not known).
    """

    def __init__(
        self,
        logits: Iterator[Tensor],
        likely: Callable[[Tensor], Tensor],
        classes: tuple[str, ...],
        depth: int,
        slab_height: int,
        spread: float | None,
    ) -> None:
        self._logits, self._likely, self._spread = logits, likely, spread
        self._depth, self._slab_height, self._z = depth, slab_height, 0
        self._values = np.array([CLASS_NAMES.index(name) for name in classes], np.uint8)
        self.tally = Tally(classes, np.zeros((depth, len(classes))), np.zeros(depth))

    def __next__(self) -> Mask:
        """Return the next slab."""
        if self._z >= self._depth:
            raise StopIteration
        start, stop = self._z, min(self._z + self._slab_height, self._depth)
        slices = [here_or_on_cpu(partial(self._judge, z), next(self._logits)) for z in range(start, stop)]
        self._z = stop
        return Mask(z_start=start, classes=np.stack(slices))

    def _judge(self, z: int, logits: Tensor) -> npt.NDArray[np.uint8]:
        """Count slice z and return its labels (y, x); the same slice again replaces what was counted."""
        self.tally.add(z, self._likely(logits))
        labels: npt.NDArray[np.uint8] = self._values[logits.max(dim=0).indices.cpu().numpy()]
        return labels

    @property
    def porosity(self) -> PorosityInterval | None:
        """The interval from the slices so far; None without calibration by known bones, or without tissue."""
        return self.tally.interval(self._spread)
