"""A scheduler and workers of dask, each a process of its own on this machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tests.waiting import until

__all__ = ["DaskProcesses"]

PATIENCE_S = 90.0
_QUIET = {
    "DASK_DISTRIBUTED__WORKER__LIFETIME__STAGGER": "0",
    "OMP_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
}


class DaskProcesses:
    """Starts what is asked for and ends it again, by process id."""

    def __init__(self, folder: Path, tls: Mapping[str, Path] | None = None) -> None:
        self._folder = folder
        self._tls: list[str] = []
        if tls is not None:
            files = {"ca-file": "ca_file", "cert": "cert_file", "key": "key_file"}
            self._tls = [word for name, key in files.items() for word in (f"--tls-{name}", str(tls[key]))]
        self._file = folder / "scheduler.json"
        self.workers: list[subprocess.Popen[bytes]] = []
        protocol = ["--protocol", "tcp" if tls is None else "tls"]
        self.scheduler = self._start(
            "scheduler", *protocol, "--port", "0", "--scheduler-file", str(self._file)
        )
        self.address: str = until(self._address, "scheduler", PATIENCE_S)

    def add_worker(self) -> subprocess.Popen[bytes]:
        """Start one more worker of one thread; do not wait for it."""
        place = ["--local-directory", str(self._folder), "--name", f"worker-{len(self.workers)}"]
        worker = self._start(
            "worker", self.address, "--nthreads", "1", "--no-nanny", "--memory-limit", "0", *place
        )
        self.workers.append(worker)
        return worker

    def have(self, workers: int) -> None:
        """Start workers until there are so many, and wait until the scheduler knows them."""
        while len(self.workers) < workers:
            self.add_worker()
        until(lambda: self._known() >= workers, f"{workers} workers", PATIENCE_S)

    def _known(self) -> int:
        log = (self._folder / "scheduler-0.log").read_text()
        return log.count("Register worker addr")

    def kill_scheduler(self) -> None:
        """End the scheduler at once, by SIGKILL."""
        self.scheduler.kill()
        self.scheduler.wait()

    def close(self) -> None:
        """End all of them."""
        for process in (*self.workers, self.scheduler):
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
            process.wait()

    def _start(self, what: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [
            sys.executable,
            "-m",
            f"distributed.cli.dask_{what}",
            "--host",
            "127.0.0.1",
            "--no-dashboard",
        ]
        with (self._folder / f"{what}-{len(self.workers)}.log").open("wb") as log:
            return subprocess.Popen(
                [*command, *self._tls, *arguments],
                env={**os.environ, **_QUIET},
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _address(self) -> str:
        with suppress(OSError, ValueError):
            return str(json.loads(self._file.read_text())["address"])
        return ""
