"""A foreign interpreter that runs tomopy, at arm's length: requests over a pipe, arrays in files."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from streamlcn.errors import ReconstructionFailed

__all__ = ["TomopyProcess"]

WORKER = Path(__file__).with_name("_tomopy_worker.py")
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - looked at, and used through tempfile


class TomopyProcess:
    """One worker; leaving the context ends it and removes its files, whatever state it is in.

    ``timeout_s`` bounds each request. Raises `ReconstructionFailed` for everything that goes wrong.
    """

    def __init__(self, python: str, timeout_s: float) -> None:
        self._python, self._timeout_s = python, timeout_s
        self._folder = tempfile.TemporaryDirectory(prefix="streamlcn-tomopy-", dir=_roomy_folder())
        self._said = Path(self._folder.name, "stderr").open("w+b")  # noqa: SIM115 - closed with the process
        try:
            self._process = subprocess.Popen(
                [python, str(WORKER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                cwd=self._folder.name,
            )
        except OSError as error:
            self._said.close()
            self._folder.cleanup()
            raise ReconstructionFailed(f"tomopy's interpreter {python!r} does not start: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._said):
            if pipe is not None:
                pipe.close()
        self._folder.cleanup()

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send one request and return its answer."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise self._died() from None
        answer: dict[str, Any] = json.loads(self._line())
        if "error" in answer:
            raise ReconstructionFailed(f"tomopy in {self._python!r} failed: {answer['error']}")
        return answer

    def recon(
        self, rows: npt.NDArray[np.float32], angles_rad: npt.NDArray[np.float64], **request: Any
    ) -> npt.NDArray[np.float32]:
        """Have rows (row, angle, column) reconstructed; returns (row, y, x)."""
        folder = Path(self._folder.name)
        source, target = folder / "rows.npy", folder / "volume.npy"
        np.save(source, rows)
        request |= {"op": "recon", "rows": str(source), "volume": str(target)}
        self.ask({**request, "angles_rad": angles_rad.tolist()})
        volume: npt.NDArray[np.float32] = np.load(target)
        source.unlink()
        target.unlink()
        return volume

    def _line(self) -> bytes:
        """Return one line of answer, waiting no longer than the timeout."""
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        deadline = time.monotonic() + self._timeout_s
        line = b""
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                if not selector.select(max(0.0, deadline - time.monotonic())):
                    raise ReconstructionFailed(
                        f"tomopy in {self._python!r} did not answer within {self._timeout_s:g} s: "
                        "it was ended; raise timeout_s, or name another backend"
                    )
                part = os.read(descriptor, 65536)
                if not part:
                    raise self._died()
                line += part
        return line

    def _died(self) -> ReconstructionFailed:
        code = self._process.wait()
        self._said.seek(0)
        last = self._said.read()[-500:].decode(errors="replace").strip()
        return ReconstructionFailed(f"tomopy's process {self._python!r} died with code {code}: {last}")


def _roomy_folder() -> str | None:
    """Return shared memory where it has room to spare, else None for the usual folder."""
    if not SHARED_MEMORY.is_dir():
        return None
    room = os.statvfs(SHARED_MEMORY)
    return str(SHARED_MEMORY) if room.f_bavail * room.f_frsize > 4 << 30 else None
