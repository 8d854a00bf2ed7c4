"""What a volume is called: ``file.h5:/path``, ``folder.zarr``, ``file.npy``, ``stack.tif`` or ``folder/``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from streamlcn.errors import BadInput

__all__ = ["KNOWN_FORMATS", "VolumeSpec", "parse_spec"]

Format: TypeAlias = Literal["hdf5", "zarr", "npy", "tiff", "slices"]

_SUFFIXES: dict[str, Format] = {
    ".h5": "hdf5", ".hdf5": "hdf5", ".hdf": "hdf5", ".nxs": "hdf5", ".nx": "hdf5",
    ".zarr": "zarr", ".npy": "npy", ".tif": "tiff", ".tiff": "tiff",
}  # fmt: skip

KNOWN_FORMATS = "file.h5:/path, folder.zarr, file.npy, stack.tif or a folder of .tif slices (folder/)"


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeSpec:
    """A volume's file and, inside HDF5 and zarr, its place in it (None: the only one there)."""

    format: Format
    path: Path
    inner: str | None = None

    def __str__(self) -> str:
        return f"{self.path}:{self.inner}" if self.inner else str(self.path)


def parse_spec(spec: str | Path) -> VolumeSpec:
    """Return what ``spec`` names; raises `BadInput` for an unknown suffix.

    A folder without a known suffix, or a name that ends in a slash, is a folder of TIFF slices.
    """
    text = str(spec)
    name, colon, inner = text.rpartition(":")
    if not colon or Path(name).suffix.lower() not in (".zarr", *_inner_suffixes()):
        name, inner = text, ""
    path = Path(name)
    form = _SUFFIXES.get(path.suffix.lower())
    if form is None and (text.endswith("/") or path.is_dir()):
        form = "slices"
    if form is None:
        raise BadInput(f"{text}: cannot tell what kind of volume this is; use {KNOWN_FORMATS}")
    return VolumeSpec(format=form, path=path, inner="/" + inner.strip("/") if inner.strip("/") else None)


def _inner_suffixes() -> tuple[str, ...]:
    return tuple(suffix for suffix, form in _SUFFIXES.items() if form == "hdf5")
