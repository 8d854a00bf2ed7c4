"""Slabs out of stored volumes, so that a volume may be larger than memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from streamlcn.errors import BadInput
from streamlcn.files._spec import KNOWN_FORMATS, VolumeSpec, parse_spec
from streamlcn.files._tiff import open_slices, open_tiff

__all__ = ["VolumeReader", "open_volume"]

Read = Callable[[int, int], npt.NDArray[Any]]

_SAME = 1e-4  # relative; TIFF keeps lengths as ratios of whole numbers


class VolumeReader:
    """A stored volume (z, y, x), open for reading; close it, or use it as a context manager."""

    def __init__(
        self,
        spec: VolumeSpec,
        shape: tuple[int, ...],
        dtype: npt.DTypeLike,
        voxel_edges_um: tuple[float, ...],
        read: Read,
        stack: ExitStack,
        provenance: Mapping[str, Any] | None = None,
    ) -> None:
        if len(shape) != 3 or 0 in shape:
            raise BadInput(f"{spec} has shape {shape}; a volume is (z, y, x) and not empty")
        self.shape: tuple[int, int, int] = (shape[0], shape[1], shape[2])
        self.dtype = np.dtype(dtype).newbyteorder("=")
        if self.dtype.kind not in "biuf":
            raise BadInput(f"{spec} holds {self.dtype}; voxels are integers or real numbers")
        self.provenance = dict(provenance or {})
        self._edges = voxel_edges_um
        self._spec, self._read, self._stack = spec, read, stack

    def __enter__(self) -> VolumeReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def voxel_size_um(self) -> float | None:
        """Edge of a voxel in micrometres as the file says, None where it does not.

        Raises `BadInput` where the file says that voxels are not cubic.
        """
        if not self._edges:
            return None
        shortest, longest = min(self._edges), max(self._edges)
        if longest > shortest * (1 + _SAME):
            raise BadInput(
                f"{self._spec} says that its voxels are {' x '.join(f'{e:g}' for e in self._edges)} um: "
                "resample the volume to cubic voxels first, or give the voxel size if the file is wrong"
            )
        return self._edges[0]

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._stack.close()

    def read(self, z_start: int, z_stop: int) -> npt.NDArray[Any]:
        """Return slices ``z_start`` to ``z_stop`` (exclusive) as an array of their own, native byte order."""
        if not 0 <= z_start <= z_stop <= self.shape[0]:
            raise BadInput(f"{self._spec}: slices {z_start}:{z_stop} are not within 0:{self.shape[0]}")
        values = self._read(z_start, z_stop)
        if isinstance(values, np.memmap):
            return np.array(values, self.dtype, order="C")
        return np.ascontiguousarray(values, self.dtype)

    def slabs(self, height: int) -> Iterator[tuple[int, npt.NDArray[Any]]]:
        """Yield (z_start, slab) for the whole volume, z upwards, at most ``height`` slices each."""
        for start in range(0, self.shape[0], height):
            yield start, self.read(start, min(start + height, self.shape[0]))


def open_volume(spec: str | Path) -> VolumeReader:
    """Open a stored volume.

    Parameters
    ----------
    spec
        ``file.h5:/path``, ``folder.zarr`` (``:/path``), ``file.npy``, ``stack.tif`` or a folder of TIFF
        slices, in order of the numbers in their names. Without ``:/path`` the only volume inside is taken.

    Raises
    ------
    BadInput
        No such volume, several of them, not three axes, or not real numbers.
    """
    parsed = parse_spec(spec)
    if not parsed.path.exists():
        raise BadInput(f"{parsed.path} does not exist; a volume is {KNOWN_FORMATS}")
    opener = {
        "hdf5": _open_hdf5,
        "zarr": _open_zarr,
        "npy": _open_npy,
        "tiff": _open_tiff,
        "slices": _open_slices,
    }[parsed.format]
    with ExitStack() as stack:
        try:
            reader = opener(parsed, stack)
        except (OSError, ValueError, TypeError, KeyError) as error:
            if isinstance(error, BadInput):
                raise
            raise BadInput(f"{parsed} cannot be read as {parsed.format}: {error}") from error
        stack.pop_all()
        return reader
    raise AssertionError("unreachable")


def _open_hdf5(spec: VolumeSpec, stack: ExitStack) -> VolumeReader:
    kept = ExitStack()
    file = kept.enter_context(h5py.File(spec.path, "r"))
    stack.push(kept)
    names: list[str] = []
    if spec.inner is None:
        file.visititems(
            lambda name, item: (
                names.append(name) if isinstance(item, h5py.Dataset) and item.ndim == 3 else None
            )
        )
    dataset = file.get(spec.inner or only(spec, names))
    if not isinstance(dataset, h5py.Dataset):
        raise BadInput(f"{spec} is not a dataset; the file holds {', '.join(file)}")
    return VolumeReader(
        spec, dataset.shape, dataset.dtype, voxel_edges_from(dataset.attrs), lambda a, b: dataset[a:b], kept,
        provenance_from(dataset.attrs),
    )  # fmt: skip


def _open_zarr(spec: VolumeSpec, _stack: ExitStack) -> VolumeReader:
    import zarr

    node: Any = zarr.open(str(spec.path), mode="r", path=(spec.inner or "").strip("/") or None)
    if isinstance(node, zarr.Group):
        node = node[only(spec, [name for name, array in node.arrays() if array.ndim == 3])]
    return VolumeReader(
        spec, node.shape, node.dtype, voxel_edges_from(node.attrs), lambda a, b: np.asarray(node[a:b]),
        ExitStack(), provenance_from(node.attrs),
    )  # fmt: skip


def _open_npy(spec: VolumeSpec, stack: ExitStack) -> VolumeReader:
    whole = np.load(spec.path, mmap_mode="r", allow_pickle=False)
    kept = ExitStack()
    file = kept.enter_context(spec.path.open("rb"))
    stack.push(kept)
    is_c = whole.flags.c_contiguous

    def read(start: int, stop: int) -> npt.NDArray[Any]:
        """Map anew for each slab: pages stay in the memory of the process as long as their map."""
        anew = np.memmap(file, whole.dtype, "r", whole.offset, whole.shape, "C" if is_c else "F")
        return anew[start:stop]

    return VolumeReader(spec, whole.shape, whole.dtype, (), read, kept)


def _open_tiff(spec: VolumeSpec, stack: ExitStack) -> VolumeReader:
    kept = ExitStack()
    stack.push(kept)
    return VolumeReader(spec, *open_tiff(spec.path, kept), kept)


def _open_slices(spec: VolumeSpec, _stack: ExitStack) -> VolumeReader:
    return VolumeReader(spec, *open_slices(spec.path), ExitStack())


def only(spec: VolumeSpec, names: list[str]) -> str:
    """Return the one name in ``names``; raises `BadInput` that lists what there is."""
    if len(names) == 1:
        return names[0]
    if not names:
        raise BadInput(f"{spec} holds no array with three axes (z, y, x)")
    raise BadInput(
        f"{spec} holds several volumes: say which, {spec.path}:/{names[0]} (also {', '.join(names[1:])})"
    )


def voxel_edges_from(attributes: Any) -> tuple[float, ...]:
    """Return ``voxel_size_um`` of ``attributes``: one number or one for each axis; empty where there is none.

    Raises `BadInput` for what is no length.
    """
    value = attributes.get("voxel_size_um")
    if value is None:
        return ()
    try:
        edges = np.asarray(value, np.float64).reshape(-1)
    except (TypeError, ValueError) as error:
        raise BadInput(f"the attribute voxel_size_um is {value!r}, not a number of micrometres") from error
    if not (edges.size and np.isfinite(edges).all() and (edges > 0).all()):
        raise BadInput(f"the attribute voxel_size_um is {value!r}, not a length above 0 in micrometres")
    return tuple(edges.tolist())


def provenance_from(attributes: Any) -> dict[str, Any]:
    """Return what `VolumeWriter.note` kept in ``attributes``; empty where there is nothing of that kind."""
    value = attributes.get("provenance")
    try:
        found = json.loads(value) if isinstance(value, str | bytes) else value
    except ValueError:
        return {}
    return dict(found) if isinstance(found, Mapping) else {}
