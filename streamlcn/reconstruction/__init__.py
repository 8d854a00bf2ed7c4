"""From projections to a volume while the scan runs: correction, centre of rotation, back-projection.

Importing this package loads neither torch nor numba; calling it does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streamlcn.reconstruction._api import find_centre, open_whole_scan, reconstruct, volume_shape
from streamlcn.reconstruction._correction import Correction, contrast_sign
from streamlcn.reconstruction._providers import make_reconstructor
from streamlcn.reconstruction._reference import make_reference, neutral_reference
from streamlcn.reconstruction.settings import ReconstructionSettings

if TYPE_CHECKING:
    from streamlcn.reconstruction._centre import Centre
    from streamlcn.reconstruction._volumes import OpenVolumes, Volumes

__all__ = [
    "Centre",
    "Correction",
    "OpenVolumes",
    "ReconstructionSettings",
    "Volumes",
    "contrast_sign",
    "find_centre",
    "make_reconstructor",
    "make_reference",
    "neutral_reference",
    "open_whole_scan",
    "reconstruct",
    "volume_shape",
]


def __getattr__(name: str) -> Any:
    if name == "Centre":
        from streamlcn.reconstruction._centre import Centre

        return Centre
    if name in ("OpenVolumes", "Volumes"):
        from streamlcn.reconstruction import _volumes

        return getattr(_volumes, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
