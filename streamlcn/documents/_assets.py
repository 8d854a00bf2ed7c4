"""Files behind resource and stream_resource documents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from streamlcn.documents._places import Places, path_of_uri
from streamlcn.documents._refused import refused
from streamlcn.documents.settings import FileSettings
from streamlcn.errors import FailedScan
from streamlcn.model import FileSource

__all__ = ["Asset", "FileValues", "point_number", "resource_asset", "stream_asset"]

_HDF5 = ("application/x-hdf5", "application/x-hdf5;type=swmr")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileValues:
    """Numbers ``start`` to ``stop`` (excluded) of a one-dimensional ``dataset`` that may still be growing."""

    path: Path
    dataset: str
    start: int
    stop: int
    swmr: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Asset:
    """One file of a run.

    ``data_key`` is '' where the event's key tells it; ``per_point`` is None where the data key's shape does.
    """

    uid: str
    data_key: str
    path: str
    dataset: str
    swmr: bool
    per_point: int | None = None

    def frame(self, places: Places, index: int) -> FileSource:
        """Return where frame ``index`` of the file is; raises `FailedScan` for a path that is not allowed."""
        return FileSource(path=places.local(self.path), dataset=self.dataset, index=index, swmr=self.swmr)

    def values(self, places: Places, start: int, stop: int) -> FileValues:
        """Return where numbers of the file are; raises as `frame`."""
        path = places.local(self.path)
        return FileValues(path=path, dataset=self.dataset, start=start, stop=stop, swmr=self.swmr)


def resource_asset(document: Mapping[str, Any], settings: FileSettings) -> Asset:
    """Return the file of a resource document; its spec tells the dataset."""
    spec = document["spec"]
    dataset = settings.resource_datasets.get(spec)
    if dataset is None:
        raise FailedScan(
            f"pixels come by resources of spec {spec[:60]!r}, and documents.files.resource_datasets knows "
            f"only {', '.join(settings.resource_datasets)}: add the dataset of that spec"
        )
    per_point = document["resource_kwargs"].get("frame_per_point")
    if per_point is not None and (type(per_point) is not int or not 1 <= per_point < 2**31):
        raise refused("invalid", f"a resource with frame_per_point {str(per_point)[:40]}")
    folder, path = document["root"] or "/", document["resource_path"]
    return Asset(
        uid=document["uid"],
        data_key="",
        path=f"{folder.rstrip('/')}/{path.lstrip('/')}",
        dataset=dataset,
        swmr=True,
        per_point=per_point,
    )


def stream_asset(document: Mapping[str, Any]) -> Asset:
    """Return the file of a stream_resource document."""
    parameters, mimetype = document["parameters"], document.get("mimetype")
    if not isinstance(mimetype, str) or mimetype not in _HDF5:
        raise FailedScan(
            f"pixels come as {str(mimetype)[:60]!r}; only HDF5 files (application/x-hdf5) are read"
        )
    dataset = parameters.get("dataset", parameters.get("path"))
    if not isinstance(dataset, str):
        raise refused("invalid", "a stream_resource that does not name its dataset")
    swmr = parameters.get("swmr", True)
    return Asset(
        uid=document["uid"],
        data_key=document["data_key"],
        path=path_of_uri(document["uri"]),
        dataset=dataset,
        swmr=swmr if isinstance(swmr, bool) else True,
    )


def point_number(datum_kwargs: Mapping[str, Any]) -> int:
    """Return which event of its file a datum is; raises `BadDocument`."""
    number = datum_kwargs.get("point_number")
    if type(number) is not int or not 0 <= number < 2**31:
        raise refused("invalid", f"a datum whose point_number is {str(number)[:40]}")
    return number
