"""Computed arrays kept on disk under the hash of everything that determines them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import numpy as np
import numpy.typing as npt

VERSION = 2
"""Part of every hash; raised when the physics changes."""

LIMIT_BYTES = 8 * 2**30
"""What the folder may hold; beyond it the arrays that were unused longest go."""


def cache_folder() -> Path:
    """Where arrays are kept: $SIMULATORS_CACHE, or ~/.cache/streamlcn-simulators."""
    return Path(os.environ.get("SIMULATORS_CACHE") or Path.home() / ".cache" / "streamlcn-simulators")


def content_hash(*parts: Any) -> str:
    """Hash of frozen dataclasses, numbers, strings and arrays."""
    digest = hashlib.sha256(str(VERSION).encode())
    for part in parts:
        digest.update(b"\0" + (part.tobytes() if isinstance(part, np.ndarray) else repr(part).encode()))
    return digest.hexdigest()[:24]


def cached(kind: str, key: str, make: Callable[[], npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Return the stored array, memory-mapped, or make and store it.

    A reader never sees half a file: it is written under another name first.
    """
    path = cache_folder() / f"{kind}-{key}.npy"
    try:
        os.utime(path)
        return np.load(path, mmap_mode="r")
    except FileNotFoundError:
        _store(path, make())
        _prune(path)
    return np.load(path, mmap_mode="r")


def _store(path: Path, array: npt.NDArray[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{uuid4().hex}.part")
    try:
        with part.open("wb") as file:
            np.save(file, array)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _prune(newest: Path) -> None:
    """Delete what was unused longest until the folder is within its limit; open maps stay readable."""
    files = []
    for path in newest.parent.glob("*.npy"):
        try:
            status = path.stat()
        except FileNotFoundError:  # another process pruned it
            continue
        files.append((status.st_mtime_ns, status.st_size, path))
    total = sum(size for _, size, _ in files)
    for _, size, path in sorted(files):
        if total <= LIMIT_BYTES:
            break
        if path != newest:
            path.unlink(missing_ok=True)
            total -= size
