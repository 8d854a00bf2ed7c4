"""Everything that determines a result, and its short name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import streamlcn
from streamlcn.profile._model import Profile

__all__ = ["NOT_IN_RECIPE", "Recipe", "make_recipe"]

_HASH_LENGTH = 16  # 64 bits: a beamline's whole life of recipes without a collision

NOT_IN_RECIPE = frozenset(
    {
        # who speaks, where documents come from, who computes, what is shown meanwhile, where results go
        *("name", "description", "extends", "ingest", "compute", "live", "store", "web", "telemetry"),
        # where files are and how patiently they are read; which dataset is read does count
        *("frames", "documents.files.allowed_roots", "documents.files.root_map"),
        # how long to wait for documents and how many to keep; what was lost is in the completeness
        *("documents.idle_timeout_s", "documents.settle_s", "documents.orphan_count", "documents.orphan_mb"),
        *("documents.references.wait_s", "documents.backfill"),
        # how fast: one algorithm on any device (tomopy and astra have another one on each)
        *("reconstruction.method[fbp].device", "reconstruction.method[fbp].batch"),
        *("reconstruction.method[fbp].threads", "reconstruction.method[fbp].reorder_window"),
        "reconstruction.method[fbp].device_memory_gb",
        *("reconstruction.method[tomopy].python", "reconstruction.method[tomopy].timeout_s"),
        # where weights are and how fast they go; the sha256 is the one of the weights that were used
        *(
            "segmentation[sensor3d].bundle",
            "segmentation[sensor3d].device",
            "segmentation[sensor3d].slab_height",
        ),
        *("segmentation[unet].bundle", "segmentation[unet].device", "segmentation[unet].slab_height"),
        *("segmentation[sensor3d].sha256", "segmentation[unet].sha256", "segmentation[otsu].slab_height"),
    }
)
"""Keys, and whole sections, that do not move a result. Every other key does, one added tomorrow included."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """``hash`` is the first 16 hexadecimal digits of the SHA-256 of ``values`` as canonical JSON."""

    hash: str
    values: dict[str, Any]


def make_recipe(profile: Profile, model_sha256: str | None) -> Recipe:
    """Return the recipe of ``profile`` with the weights named by ``model_sha256`` (None: without a network).

    It holds all keys but those of `NOT_IN_RECIPE`, with their defaults, and the version of streamlcn.
    """
    values = _kept(profile.model_dump(mode="json"), "")
    values["segmentation"]["sha256"] = model_sha256
    values["streamlcn"] = streamlcn.__version__
    text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return Recipe(hash=hashlib.sha256(text.encode()).hexdigest()[:_HASH_LENGTH], values=values)


def _kept(section: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    kept = {}
    for key, value in section.items():
        name = f"{prefix}{key}"
        if name in NOT_IN_RECIPE:
            continue
        if isinstance(value, dict):
            tag = f"[{value['backend']}]" if "backend" in value else ""
            kept[key] = _kept(value, f"{name}{tag}.")
        else:
            kept[key] = value
    return kept
