"""The same pipeline on the workers of a dask scheduler: slabs as tasks, the same bits.

`dask` and `distributed` are imported when a scan is opened under a profile that says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from streamlcn.distributed.settings import ComputeSettings, DaskSettings, LocalSettings, TlsSettings

if TYPE_CHECKING:
    from streamlcn.distributed._cluster import Cluster, ClusterLost
    from streamlcn.distributed._jobs import made_with
    from streamlcn.distributed._segmenter import SharedSegmenter
    from streamlcn.distributed._tasks import sees
    from streamlcn.distributed._volumes import Handover, SharedScan

__all__ = [
    "Cluster",
    "ClusterLost",
    "ComputeSettings",
    "DaskSettings",
    "Handover",
    "LocalSettings",
    "SharedScan",
    "SharedSegmenter",
    "TlsSettings",
    "made_with",
    "sees",
]

_HOMES = {
    "Cluster": "_cluster",
    "ClusterLost": "_cluster",
    "Handover": "_volumes",
    "SharedScan": "_volumes",
    "SharedSegmenter": "_segmenter",
    "made_with": "_jobs",
    "sees": "_tasks",
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
