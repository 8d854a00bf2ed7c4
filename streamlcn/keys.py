"""Secrets that settings name but never hold."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from streamlcn.errors import BadInput

__all__ = ["key_from"]


def key_from(environ: Mapping[str, str], variable: str, file: Path | None, setting: str) -> str | None:
    """Return the key in ``variable``, else in ``file``; None where neither has one.

    Raises `BadInput`, naming the profile's key ``setting``, for a file that cannot be read.
    """
    key = environ.get(variable, "").strip()
    if not key and file is not None:
        try:
            key = file.expanduser().read_text("utf-8").strip()
        except OSError as error:
            raise BadInput(f"{setting} cannot be read: {error}") from error
    return key or None
