"""What is learnt from and what is held out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from streamlcn.errors import BadInput
from streamlcn.training._data import LabelledScan
from streamlcn.training.settings import SplitSettings

__all__ = ["Split", "family", "split_scans"]

_SCANS_FROM = 5


@dataclass(frozen=True, slots=True)
class Split:
    """Slices of each scan, by name, for training and held out; ``by`` is how it was done."""

    by: str
    training: dict[str, npt.NDArray[np.intp]]
    held_out: dict[str, npt.NDArray[np.intp]]


def split_scans(scans: list[LabelledScan], settings: SplitSettings, seed: int) -> Split:
    """Part the labelled slices.

    Scans are chosen, and slices drawn, from ``seed``. Scans whose names differ only behind the last
    underscore belong together (``bone_m0``, ``bone_m2``): they are held out together. Raises `BadInput` where
    nothing would remain on either side.
    """
    rng = np.random.default_rng([seed, 0x5B1])
    families = sorted({family(scan.name) for scan in scans})
    by = settings.by
    if by == "auto":
        by = "scans" if len(families) >= _SCANS_FROM else "blocks"
    training: dict[str, npt.NDArray[np.intp]] = {}
    held_out: dict[str, npt.NDArray[np.intp]] = {}
    out = set(rng.permutation(families)[: max(1, round(settings.share * len(families)))].tolist())
    for scan in scans:
        z = scan.labelled_slices
        if by == "scans":
            is_out = family(scan.name) in out
            training[scan.name], held_out[scan.name] = (z[:0], z) if is_out else (z, z[:0])
        elif by == "blocks":
            first = len(z) - max(1, round(settings.share * len(z)))
            keep = z[:first]
            held_out[scan.name] = z[first:]
            training[scan.name] = keep[keep < z[first] - settings.gap] if first < len(z) else keep
        else:
            drawn = rng.permutation(z)
            count = max(1, round(settings.share * len(z)))
            held_out[scan.name], training[scan.name] = np.sort(drawn[:count]), np.sort(drawn[count:])
    for name, part in (("training", training), ("validation", held_out)):
        if not sum(len(z) for z in part.values()):
            raise BadInput(
                f"nothing is left for {name}: {len(scans)} scans with "
                f"{sum(len(scan.labelled_slices) for scan in scans)} labelled slices, split by {by}; "
                "label more slices, or change split"
            )
    return Split(by, training, held_out)


def family(name: str) -> str:
    """Return the bone that a scan shows: its name up to the last underscore."""
    return name.rpartition("_")[0] or name
