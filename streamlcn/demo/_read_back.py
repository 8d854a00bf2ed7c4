"""The result as an analyst would read it: with a tiled client, by the scan's uid."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from streamlcn.errors import BadInput

__all__ = ["ReadBack", "read_back"]

_ENDED = ("complete", "partial", "failed")
_LOOK_S = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadBack:
    """One result: ``reconstruction`` (z, y, x) float32, ``labels`` (z, y, x) uint8, tables and metadata."""

    metadata: dict[str, Any]
    reconstruction: npt.NDArray[np.float32]
    labels: npt.NDArray[np.uint8]
    thickness_histogram: dict[str, npt.NDArray[Any]]
    voxel_size_um: float
    readable_at_s: float


def read_back(uri: str, api_key: str, uid: str, timeout_s: float, check: Callable[[], None]) -> ReadBack:
    """Wait until tiled has the result, read it whole; ``readable_at_s`` is when its labels could be read.

    ``check`` is called between two looks and may raise. Raises `BadInput` when it does not come in time.
    """
    from streamlcn.store import find_result, read_result

    deadline = time.monotonic() + timeout_s
    while True:
        check()
        try:
            node = find_result(uri, api_key, uid)
        except BadInput:
            node = None
        if node is not None:
            if node.metadata.get("status") in _ENDED:
                break
            node.context.close()
        if time.monotonic() > deadline:
            raise BadInput(f"no result of scan {uid} after {timeout_s:.0f} s: see the logs")
        time.sleep(_LOOK_S)
    try:
        if node.metadata["status"] == "failed":
            raise BadInput(f"scan {uid} failed: {node.metadata.get('reason')}")
        node["labels"][0]
        readable_at_s = time.time()
        found = read_result(node)
    finally:
        node.context.close()
    return ReadBack(
        metadata=found.metadata,
        reconstruction=found.arrays["reconstruction"],
        labels=found.arrays["labels"],
        thickness_histogram=found.tables["thickness_histogram"],
        voxel_size_um=float(found.metadata["voxel_size_um"]),
        readable_at_s=readable_at_s,
    )
