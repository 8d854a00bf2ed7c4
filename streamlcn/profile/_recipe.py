"""Everything that determines a result, and its short name."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from streamlcn.profile._model import Profile

__all__ = ["Recipe", "make_recipe"]

_HASH_LENGTH = 16  # 64 bits: a beamline's whole life of recipes without a collision


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """``hash`` is the first 16 hexadecimal digits of the SHA-256 of ``values`` as canonical JSON."""

    hash: str
    values: dict[str, Any]


def make_recipe(profile: Profile, model_sha256: str | None) -> Recipe:
    """Return the recipe of ``profile`` with the weights named by ``model_sha256``.

    Where things are (addresses, folders) and how fast they go (devices, slab heights) is not part of it.
    """
    values = {
        "streamlcn": version("streamlcn"),
        "documents": profile.documents.model_dump(mode="json", exclude={"roots", "root_map"}),
        "reconstruction": profile.reconstruction.model_dump(mode="json", exclude={"device"}),
        "segmentation": {
            **profile.segmentation.model_dump(mode="json", exclude={"bundle", "device", "slab_height"}),
            "sha256": model_sha256,
        },
        "morphometry": profile.morphometry.model_dump(mode="json"),
    }
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return Recipe(hash=hashlib.sha256(text.encode()).hexdigest()[:_HASH_LENGTH], values=values)
