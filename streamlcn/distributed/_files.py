"""Arrays in a folder that several computers see: written whole or not at all, read by rows.

Names say what a file holds, so that writing it again is writing the same.
"""

from __future__ import annotations

import hashlib
import math
import os
import secrets
import shutil
import time
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["STEP", "checksum", "keep_lines", "make_scan_dir", "name_of", "read_rows", "write_array"]

STEP = np.dtype([("name", "S48"), ("angle", "<f8"), ("weight", "<f8")])
"""A projection on its way into a volume: the file of its line integrals, its angle in radians, its weight."""

_FORGOTTEN_S = 7 * 86400.0
_PREFIX = "streamlcn-"


def name_of(uid: str, recipe_hash: str) -> str:
    """Return a name for a scan under a recipe; whatever a document calls it, it is the name of a file."""
    readable = "".join(c if c.isascii() and (c.isalnum() or c == "-") else "_" for c in uid[:40])
    digest = hashlib.sha1(uid.encode(errors="surrogatepass"), usedforsecurity=False).hexdigest()
    return f"{readable}-{digest[:8]}-{recipe_hash}"


def make_scan_dir(shared_dir: Path, name: str) -> Path:
    """Make the folder of one scan (`name_of`), and remove those of scans that nobody touched for a week."""
    shared_dir.mkdir(parents=True, exist_ok=True)
    for other in shared_dir.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if time.time() - other.stat().st_mtime > _FORGOTTEN_S:
                shutil.rmtree(other)
    folder = shared_dir / f"{_PREFIX}{name}"
    folder.mkdir(exist_ok=True)
    return folder


def write_array(path: Path, array: npt.NDArray[Any]) -> None:
    """Write ``array`` as .npy; readers see all of it or nothing."""
    draft = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        with draft.open("wb") as file:
            np.lib.format.write_array(file, array, version=(1, 0), allow_pickle=False)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def checksum(array: npt.NDArray[Any]) -> int:
    """Return the CRC-32 of an array's values."""
    return zlib.crc32(np.ascontiguousarray(array).data)


def keep_lines(folder: Path, lines: npt.NDArray[np.float32]) -> str:
    """Keep line integrals (row, column) under a name made of their values; return that name."""
    values = np.ascontiguousarray(lines)
    name = f"{hashlib.sha1(values.data, usedforsecurity=False).hexdigest()}.npy"
    if not (folder / name).exists():
        write_array(folder / name, values)
    return name


def read_rows(path: Path, first: int, last: int) -> npt.NDArray[Any]:
    """Return entries ``first`` to ``last`` (exclusive) along axis 0; raises `OSError` for a file cut short.

    Read, not mapped: a mapped file that a server takes away ends the process.
    """
    with path.open("rb") as file:
        np.lib.format.read_magic(file)
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
        row_bytes = dtype.itemsize * math.prod(shape[1:])
        file.seek(first * row_bytes, os.SEEK_CUR)
        content = file.read((last - first) * row_bytes)
    if len(content) != (last - first) * row_bytes:
        raise OSError(f"{path} ends before row {last}")
    return np.frombuffer(content, dtype).reshape(last - first, *shape[1:])
