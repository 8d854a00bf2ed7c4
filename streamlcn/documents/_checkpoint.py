"""Where a reader of the journal stands, on disk."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from streamlcn.documents._journal_format import Cursor
from streamlcn.errors import BadInput

__all__ = ["Checkpoint", "checkpoints", "load_checkpoint", "save_checkpoint"]

_SUFFIX = ".checkpoint"


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """All before ``cursor`` is done with. ``done`` names runs behind it whose results are delivered."""

    cursor: Cursor
    done: tuple[str, ...] = ()


def save_checkpoint(directory: Path, name: str, checkpoint: Checkpoint) -> None:
    """Write the checkpoint of reader ``name``: whole or not at all, also when the power fails."""
    path = directory / f"{name}{_SUFFIX}"
    fresh = path.with_name(f".{path.name}.new")
    cursor = checkpoint.cursor
    content = {"segment": cursor.segment, "offset": cursor.offset, "done": list(checkpoint.done)}
    with fresh.open("w", encoding="utf-8") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    _sync_directory(directory)


def load_checkpoint(directory: Path, name: str) -> Checkpoint | None:
    """Return the checkpoint of reader ``name``, or None when there is none yet; raises `BadInput`."""
    path = directory / f"{name}{_SUFFIX}"
    try:
        content = json.loads(path.read_text("utf-8"))
        cursor = Cursor(int(content["segment"]), int(content["offset"]))
        return Checkpoint(cursor=cursor, done=tuple(map(str, content.get("done", ()))))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"{path} is no checkpoint ({error}); remove it to read the journal from its beginning"
        ) from error


def checkpoints(directory: Path) -> Iterator[Checkpoint]:
    """Yield the checkpoints of all readers; one that cannot be read has passed nothing."""
    for path in sorted(directory.glob(f"*{_SUFFIX}")):
        try:
            found = load_checkpoint(directory, path.name.removesuffix(_SUFFIX))
        except BadInput:
            found = Checkpoint(cursor=Cursor())
        if found is not None:
            yield found


def _sync_directory(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
