"""Files that documents point to: where they are here, and whether they may be read."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import unquote, urlparse

from streamlcn.documents.settings import FileSettings
from streamlcn.errors import FailedScan

__all__ = ["Places", "path_of_uri"]


class Places:
    """Maps the detector's folders to ours and refuses what lies outside the allowed ones.

    The sender chooses a path freely: it is compared after symbolic links and ``..`` are resolved, part by
    part, so that ``/data2`` is not below ``/data``.
    """

    def __init__(self, settings: FileSettings, real_path: Callable[[str], str] = os.path.realpath) -> None:
        self._roots = [real_path(str(root)) for root in settings.allowed_roots]
        self._map = {_parts(theirs): ours for theirs, ours in settings.root_map.items()}
        self._real_path = real_path

    def local(self, path: str) -> Path:
        """Return where the file is here; raises `FailedScan` where it may not be."""
        if "\x00" in path or not Path(path).is_absolute():
            raise FailedScan(f"a document points to {path[:200]!r}, which is no absolute path")
        real = self._real_path(self._mapped(path))
        if not any(os.path.commonpath([root, real]) == root for root in self._roots):
            allowed = ", ".join(self._roots) or "none"
            raise FailedScan(
                f"the detector's file {real!r} is not in an allowed folder ({allowed}); if it is to be read, "
                "add its folder to documents.files.allowed_roots"
            )
        return Path(real)

    def _mapped(self, path: str) -> str:
        parts = _parts(os.path.normpath(path))
        for length in range(len(parts), 0, -1):
            ours = self._map.get(parts[:length])
            if ours is not None:
                return os.path.join(ours, *parts[length:])  # noqa: PTH118  text in, text out
        return path


def path_of_uri(uri: str) -> str:
    """Return the path of a ``file:`` URI; raises `FailedScan` for other schemes."""
    try:
        found = urlparse(uri)
    except ValueError as error:
        raise FailedScan(f"pixels at {uri[:200]!r}, which is no URI ({error})") from error
    if found.scheme != "file":
        raise FailedScan(f"pixels at {uri[:200]!r}: only files can be read (file://...)")
    return unquote(found.path)


def _parts(path: str) -> tuple[str, ...]:
    return Path(path).parts
