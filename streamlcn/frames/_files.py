"""HDF5 files that may still be growing."""

from __future__ import annotations

import os
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from streamlcn.errors import UnreadableFrame

__all__ = ["NotYet", "OpenFiles"]

_State = tuple[int, int, int]
_NEVER = (-1, -1, -1)
_SWMR_SUPERBLOCK = 3  # the first format version with single-writer multiple-reader access


class NotYet(Exception):
    """What was asked for is not in the file, or the file cannot be opened just now."""


@dataclass(frozen=True, slots=True)
class _Handle:
    file: h5py.File
    state: _State | None  # of the file when it was opened; None with SWMR, which follows the writer


class OpenFiles:
    """Looks into files, keeping the few used last open.

    With SWMR an open file follows its writer. Without, a file is opened anew once it has changed on disk, or
    for each look while a writer holds it; no lock stays, so that a writer may come back.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._handles: OrderedDict[tuple[Path, bool], _Handle] = OrderedDict()

    def close(self) -> None:
        """Close every file; may be called twice."""
        while self._handles:
            _, handle = self._handles.popitem()
            handle.file.close()

    def frame(self, path: Path, dataset: str, index: int, *, swmr: bool) -> npt.NDArray[Any]:
        """Return frame ``index`` of ``dataset``; leading axes count as one.

        Raises `NotYet` where waiting may help, `UnreadableFrame` where it cannot.
        """
        try:
            return self._look(path, dataset, index, swmr=swmr)
        except (OSError, KeyError, RuntimeError) as error:
            if isinstance(error, UnreadableFrame):
                raise
            self._drop((path, swmr))
            if "filter" in str(error) and "not registered" in str(error):
                raise UnreadableFrame(
                    f"{path}:{dataset} is compressed by a filter that is not installed: "
                    f"pip install hdf5plugin ({error})"
                ) from error
            raise NotYet(str(error).strip("'\"") or type(error).__name__) from error

    def _look(self, path: Path, dataset: str, index: int, *, swmr: bool) -> npt.NDArray[Any]:
        data = self._open(path, swmr=swmr)[dataset]
        if not isinstance(data, h5py.Dataset):
            raise UnreadableFrame(f"{path}:{dataset} is a group, not a dataset; check the image key")
        if swmr:
            data.refresh()  # always: a chunk read before may since have been filled
        lead = data.shape[:-2]
        if data.ndim < 2:
            raise UnreadableFrame(f"{path}:{dataset} has shape {data.shape}; frames are (index, row, column)")
        if index >= prod(lead):
            raise NotYet(f"it has {prod(lead)} frames")
        place = tuple(int(n) for n in np.unravel_index(index, lead)) if lead else ()
        if not _is_allocated(data, place):
            raise NotYet("the frame has room in it but was not written")
        return np.asarray(data[place])

    def _open(self, path: Path, *, swmr: bool) -> h5py.File:
        key = (path, swmr)
        handle = self._handles.get(key)
        if handle is not None and handle.state is not None and handle.state != _state(path):
            self._drop(key)
            handle = None
        if handle is None:
            handle = _open_following(path) if swmr else _open_at_rest(path)
            self._handles[key] = handle
            while len(self._handles) > self._most:
                self._drop(next(iter(self._handles)))
        self._handles.move_to_end(key)
        return handle.file

    def _drop(self, key: tuple[Path, bool]) -> None:
        handle = self._handles.pop(key, None)
        if handle is not None:
            with suppress(OSError, RuntimeError):  # a file whose disk went away closes with an error
                handle.file.close()


def _open_following(path: Path) -> _Handle:
    file = h5py.File(path, "r", libver="latest", swmr=True, locking=False)
    if file.id.get_create_plist().get_version()[0] < _SWMR_SUPERBLOCK:
        # HDF5 lets one in, but its writer gives readers no order to rely on.
        file.close()
        raise OSError("it was not written for SWMR access")
    return _Handle(file, None)


def _open_at_rest(path: Path) -> _Handle:
    state = _state(path)
    try:
        h5py.File(path, "r", locking="best-effort").close()
    except BlockingIOError:  # a writer holds it: what it has flushed can be read, but not kept
        state = _NEVER
    return _Handle(h5py.File(path, "r", locking=False), state)


def _state(path: Path) -> _State:
    found = os.stat(path)  # noqa: PTH116  Path.stat raises the same and is slower; this runs per frame
    return (found.st_ino, found.st_size, found.st_mtime_ns)


def _is_allocated(data: h5py.Dataset, place: tuple[int, ...]) -> bool:
    """Whether the storage of the frame at ``place`` exists; room without it reads as zeros."""
    if data.chunks is None:
        return True
    corner = (*place, *(0,) * (data.ndim - len(place)))
    offset = tuple(n // chunk * chunk for n, chunk in zip(corner, data.chunks, strict=True))
    return data.id.get_chunk_info_by_coord(offset).byte_offset is not None
