"""The command line called, in this process or in one of its own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from typing import Any

from streamlcn.cli import main


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    status: int | str | None
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What stdout holds, which must be one JSON object and nothing else."""
        return json.loads(self.out)


def call(*words: object) -> Outcome:
    """Run ``streamlcn`` here."""
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        try:
            main([str(word) for word in words])
        except SystemExit as left:
            return Outcome(status=left.code, out=out.getvalue(), err=err.getvalue())
    raise AssertionError("main came back")


def call_process(*words: object, module: tuple[str, ...] = ("-m", "streamlcn")) -> Outcome:
    """Run it in a process of its own."""
    ended = subprocess.run(
        [sys.executable, *module, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "COLUMNS": "100"},
        check=False,
    )
    return Outcome(status=ended.returncode, out=ended.stdout, err=ended.stderr)
