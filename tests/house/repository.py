"""Where the repository's own files are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FOLDERS = (".ci", "benchmarks", "deploy", "docs", "profiles", "simulators", "streamlcn", "tests")
_CACHES = {"__pycache__", ".simulators-cache"}
_NOT_TEXT = {".h5", ".npy", ".npz", ".png", ".pyc", ".safetensors", ".tif", ".zst"}


def python_files(*folders: str) -> list[Path]:
    """Return the modules of ``folders``, of all by default."""
    return sorted(path for folder in folders or _FOLDERS for path in (ROOT / folder).rglob("*.py"))


def text_files() -> Iterator[Path]:
    """Yield what people read or tools parse; caches and results lie outside these folders."""
    candidates = [*ROOT.iterdir()]
    for folder in _FOLDERS:
        candidates += (ROOT / folder).rglob("*")
    for path in sorted(candidates):
        if path.is_file() and path.suffix not in _NOT_TEXT and not _CACHES & {*path.parts}:
            yield path
