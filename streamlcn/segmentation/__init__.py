"""From a volume to classes: Sensor3D, U-Net and thresholds behind one port.

Importing this package does not load torch; loading a model does.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from streamlcn.segmentation._segmenters import ModelSegmenter, OtsuSegmenter, make_segmenter
from streamlcn.segmentation.settings import (
    PRESETS,
    NetworkConfig,
    OtsuSettings,
    Precision,
    SegmentationSettings,
    Sensor3DSettings,
    UNetSettings,
)

if TYPE_CHECKING:
    from streamlcn.segmentation._labelling import PorosityInterval
    from streamlcn.segmentation._manifest import Manifest
    from streamlcn.segmentation._model import Model

__all__ = [
    "PRESETS",
    "Manifest",
    "Model",
    "ModelSegmenter",
    "NetworkConfig",
    "OtsuSegmenter",
    "OtsuSettings",
    "PorosityInterval",
    "Precision",
    "SegmentationSettings",
    "Sensor3DSettings",
    "UNetSettings",
    "load_model",
    "make_segmenter",
]


def load_model(
    bundle: str | Path,
    *,
    device: str = "auto",
    sha256: str | None = None,
    precision: Precision = "float32",
) -> Model:
    """Load a bundle's model onto ``device``; see `Model`. Raises `BadInput` for one that is not whole."""
    from streamlcn.segmentation._model import load_model as load

    return load(bundle, device=device, sha256=sha256, precision=precision)


def __getattr__(name: str) -> Any:
    if name == "Model":
        from streamlcn.segmentation._model import Model

        return Model
    if name == "PorosityInterval":
        from streamlcn.segmentation._labelling import PorosityInterval

        return PorosityInterval
    if name == "Manifest":
        from streamlcn.segmentation._manifest import Manifest

        return Manifest
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
