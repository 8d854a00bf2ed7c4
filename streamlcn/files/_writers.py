"""Slabs into stored volumes, in any order; a volume gets its name only when it is whole."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from streamlcn.errors import BadInput
from streamlcn.files._spec import VolumeSpec, parse_spec
from streamlcn.files._tiff import tiff_tags

__all__ = ["VolumeWriter", "create_volume"]

_CHUNK_BYTES = 4 << 20
_DEFAULT_INNER = "/volume"


class VolumeWriter:
    """A volume (z, y, x) being written.

    Leaving the context without an error finishes it; otherwise what was written is removed.
    """

    def __init__(
        self,
        spec: VolumeSpec,
        shape: tuple[int, int, int],
        dtype: np.dtype[Any],
        write: Callable[[int, npt.NDArray[Any]], None],
        finish: Callable[[], None],
        discard: Callable[[], None],
        attributes: Any = None,
    ) -> None:
        self.shape, self.dtype = shape, dtype
        self._attributes = attributes
        self._spec, self._write, self._finish, self._discard = spec, write, finish, discard
        self._written = np.zeros(shape[0], bool)

    def __enter__(self) -> VolumeWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._discard()
            return
        missing = np.flatnonzero(~self._written)
        if len(missing):
            self._discard()
            raise BadInput(
                f"{self._spec}: {len(missing)} slices were never written, the first is {missing[0]}"
            )
        self._finish()

    def write(self, z_start: int, block: npt.NDArray[Any]) -> None:
        """Write ``block`` (z, y, x) at slice ``z_start``; any order, the same slices again replace."""
        stop = z_start + len(block)
        if block.shape[1:] != self.shape[1:] or not 0 <= z_start <= stop <= self.shape[0]:
            raise BadInput(f"{self._spec}: a block {block.shape} at {z_start} does not fit into {self.shape}")
        if block.dtype != self.dtype:
            raise BadInput(
                f"{self._spec}: a block of {block.dtype} does not fit into a volume of {self.dtype}"
            )
        self._write(z_start, block)
        self._written[z_start:stop] = True

    def note(self, provenance: Mapping[str, Any]) -> bool:
        """Keep how the volume was made, as JSON in its attribute ``provenance``.

        False where the format has no place for it: only HDF5 and zarr have.
        """
        if self._attributes is None:
            return False
        self._attributes["provenance"] = json.dumps(provenance)
        return True


def create_volume(
    spec: str | Path,
    shape: tuple[int, ...],
    dtype: npt.DTypeLike,
    *,
    voxel_size_um: float | None = None,
    overwrite: bool = False,
) -> VolumeWriter:
    """Create a volume to be written slab by slab.

    Parameters
    ----------
    spec
        ``file.h5:/path`` (other datasets of the file stay), ``folder.zarr``, ``file.npy``, ``stack.tif`` or
        ``folder/`` for one TIFF per slice.
    shape, dtype
        (z, y, x); integers, booleans (not in TIFF) or real numbers.
    voxel_size_um
        Kept in the file where its format can (all but .npy).
    overwrite
        Replace a volume that is there. Without it nothing is ever replaced.

    Raises
    ------
    BadInput
        Something is there already, the folder above is missing, or shape or dtype cannot be a volume.
    """
    parsed, kind = parse_spec(spec), np.dtype(dtype)
    if len(shape) != 3 or 0 in shape or kind.kind not in "biuf":
        raise BadInput(f"{parsed}: {kind} of shape {shape} is no volume (z, y, x) of real numbers")
    if voxel_size_um is not None and not (math.isfinite(voxel_size_um) and voxel_size_um > 0):
        raise BadInput(f"{parsed}: the voxel size is {voxel_size_um} um; give a length above 0")
    if not parsed.path.absolute().parent.is_dir():
        raise BadInput(f"{parsed}: the folder {parsed.path.absolute().parent} does not exist")
    maker = {
        "hdf5": _create_hdf5,
        "zarr": _create_zarr,
        "npy": _create_npy,
        "tiff": _create_tiff,
        "slices": _create_slices,
    }[parsed.format]
    return maker(parsed, (shape[0], shape[1], shape[2]), kind, voxel_size_um, overwrite)


def _create_hdf5(
    spec: VolumeSpec, shape: tuple[int, int, int], dtype: np.dtype[Any], voxel: float | None, overwrite: bool
) -> VolumeWriter:
    """Write into a group of its own in the same file, moved to its name at the end."""
    name = spec.inner or _DEFAULT_INNER
    is_new = not spec.path.exists()
    file = h5py.File(spec.path, "a")
    partial = f"{name}.partial"
    if name in file and not overwrite:
        file.close()
        raise _taken(spec)
    if partial in file:
        del file[partial]
    dataset = file.create_dataset(partial, shape, dtype, chunks=chunks_of(shape, dtype))
    if voxel is not None:
        dataset.attrs["voxel_size_um"] = voxel

    def write(start: int, block: npt.NDArray[Any]) -> None:
        dataset[start : start + len(block)] = block

    def finish() -> None:
        if name in file:
            del file[name]
        file.move(partial, name)
        file.close()

    def discard() -> None:
        del file[partial]
        file.close()
        if is_new:
            spec.path.unlink()

    return VolumeWriter(spec, shape, dtype, write, finish, discard, dataset.attrs)


def _create_zarr(
    spec: VolumeSpec, shape: tuple[int, int, int], dtype: np.dtype[Any], voxel: float | None, overwrite: bool
) -> VolumeWriter:
    import zarr

    final = spec.path / spec.inner.strip("/") if spec.inner else spec.path
    partial = _partial(spec, final, overwrite)
    array = zarr.create_array(
        str(partial),
        shape=shape,
        dtype=dtype,
        chunks=chunks_of(shape, dtype),
        overwrite=True,
        attributes={} if voxel is None else {"voxel_size_um": voxel},
    )
    if spec.inner:
        zarr.open_group(str(spec.path), mode="a")

    def write(start: int, block: npt.NDArray[Any]) -> None:
        array[start : start + len(block)] = block

    return VolumeWriter(
        spec, shape, dtype, write, lambda: _replace(partial, final), lambda: _remove(partial), array.attrs
    )


def _create_npy(
    spec: VolumeSpec, shape: tuple[int, int, int], dtype: np.dtype[Any], _voxel: float | None, overwrite: bool
) -> VolumeWriter:
    partial = _partial(spec, spec.path, overwrite)
    array = np.lib.format.open_memmap(partial, "w+", dtype, shape)
    return _mapped(spec, array, partial)


def _create_tiff(
    spec: VolumeSpec, shape: tuple[int, int, int], dtype: np.dtype[Any], voxel: float | None, overwrite: bool
) -> VolumeWriter:
    import tifffile

    if dtype.kind == "b":
        raise BadInput(f"{spec}: TIFF has no booleans of a byte; write uint8")
    partial = _partial(spec, spec.path, overwrite)
    big = math.prod(shape) * dtype.itemsize > 2**31
    array = tifffile.memmap(
        partial, shape=shape, dtype=dtype, bigtiff=big, photometric="minisblack", **tiff_tags(voxel)
    )
    return _mapped(spec, array, partial)


def _mapped(spec: VolumeSpec, array: npt.NDArray[Any], partial: Path) -> VolumeWriter:
    def write(start: int, block: npt.NDArray[Any]) -> None:
        array[start : start + len(block)] = block

    def finish() -> None:
        array.flush()  # type: ignore[attr-defined]
        _replace(partial, spec.path)

    shape = (array.shape[0], array.shape[1], array.shape[2])
    return VolumeWriter(spec, shape, array.dtype, write, finish, lambda: _remove(partial))


def _create_slices(
    spec: VolumeSpec, shape: tuple[int, int, int], dtype: np.dtype[Any], voxel: float | None, overwrite: bool
) -> VolumeWriter:
    import tifffile

    if dtype.kind == "b":
        raise BadInput(f"{spec}: TIFF has no booleans of a byte; write uint8")
    others = [p.name for p in spec.path.glob("*") if p.suffix.lower() not in (".tif", ".tiff")]
    if others:
        raise BadInput(f"{spec} holds {others[0]}: slices go into a folder of their own")
    partial = _partial(spec, spec.path, overwrite)
    partial.mkdir()
    digits = max(4, len(str(shape[0] - 1)))

    def write(start: int, block: npt.NDArray[Any]) -> None:
        for place, image in enumerate(block, start):
            name = partial / f"slice_{place:0{digits}d}.tif"
            tifffile.imwrite(name, image, photometric="minisblack", **tiff_tags(voxel))

    return VolumeWriter(
        spec, shape, dtype, write, lambda: _replace(partial, spec.path), lambda: _remove(partial)
    )


def chunks_of(shape: tuple[int, int, int], dtype: np.dtype[Any]) -> tuple[int, int, int]:
    """Return whole slices, about 4 MiB of them."""
    one = max(1, shape[1] * shape[2] * dtype.itemsize)
    return (max(1, min(shape[0], _CHUNK_BYTES // one)), shape[1], shape[2])


def _taken(spec: VolumeSpec) -> BadInput:
    return BadInput(f"{spec} exists already: remove it or choose another name")


def _partial(spec: VolumeSpec, final: Path, overwrite: bool) -> Path:
    """Return the name beside ``final`` under which it grows; raises `BadInput` if ``final`` is taken."""
    empty_folder = spec.format == "slices" and final.is_dir() and not any(final.iterdir())
    if final.exists() and not overwrite and not empty_folder:
        raise _taken(spec)
    partial = final.with_name(f".{final.stem}.partial{final.suffix}")
    _remove(partial)
    return partial


def _replace(partial: Path, final: Path) -> None:
    if final.is_dir():
        shutil.rmtree(final)
    partial.replace(final)


def _remove(path: Path) -> None:
    with suppress(FileNotFoundError):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
