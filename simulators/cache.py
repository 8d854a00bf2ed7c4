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

VERSION = 1
"""Part of every hash; raised when the physics changes."""


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
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{uuid4().hex}.part")
        try:
            with part.open("wb") as file:
                np.save(file, make())
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    return np.load(path, mmap_mode="r")
