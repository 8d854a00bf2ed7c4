"""A tiled server of one's own, as a separate process on this machine."""

from __future__ import annotations

import json
import os
import re
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from streamlcn.errors import StoreFailed

__all__ = ["LocalTiled", "start_local_tiled"]

_ADDRESS = re.compile(r"running on \S*?(http://127\.0\.0\.1:\d+)")
_SECONDS_TO_LEAVE = 8.0
_LOOK_S = 0.05
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_LEASH = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: outlives exec
if os.getppid() != int(sys.argv[1]):
    sys.exit("whoever started this server has gone already")
os.execv(sys.executable, [sys.executable, "-m", *sys.argv[2:]])
"""


class LocalTiled:
    """A running server. Leaving the context stops it; what it stored stays in its folder."""

    def __init__(self, directory: Path, api_key: str, process: subprocess.Popen[bytes]) -> None:
        self.directory, self.api_key, self.process = directory, api_key, process
        self.log = directory / "tiled.log"
        self._uri: str | None = None

    def __enter__(self) -> LocalTiled:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def uri(self) -> str:
        """Its address; waits until it is ready."""
        return self._uri or self.wait_ready()

    def wait_ready(self, timeout_s: float = 240.0) -> str:
        """Return the address once metadata can be read; raises `StoreFailed` when it ends or takes too long.

        Its health endpoint answers before the catalogue does, so that says nothing.
        """
        deadline = time.monotonic() + timeout_s
        while not self._answers():
            if self.process.poll() is not None:
                raise StoreFailed(
                    f"the tiled server ended with status {self.process.returncode}:\n{self._log_tail()}"
                )
            if time.monotonic() > deadline:
                raise StoreFailed(f"tiled was not ready after {timeout_s:.0f} s:\n{self._log_tail()}")
            time.sleep(_LOOK_S)
        assert self._uri is not None
        return self._uri

    def stop(self) -> None:
        """End the server and whatever it has started; may be called twice."""
        if self.process.poll() is None:
            with suppress(ProcessLookupError):
                self.process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(_SECONDS_TO_LEAVE)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def _answers(self) -> bool:
        found = _ADDRESS.search(_COLOURS.sub("", self.log.read_text("utf-8", "replace")))
        if found is None:
            return False
        import httpx

        try:
            answer = httpx.get(
                f"{found[1]}/api/v1/metadata/",
                headers={"Authorization": f"Apikey {self.api_key}"},
                timeout=5.0,
                trust_env=False,
            )
        except httpx.TransportError:
            return False
        if answer.is_success:
            self._uri = found[1]
        return answer.is_success

    def _log_tail(self) -> str:
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-15:])


def start_local_tiled(
    directory: str | Path,
    *,
    port: int = 0,
    api_key: str | None = None,
    readable_storage: Sequence[str | Path] = (),
) -> LocalTiled:
    """Start `tiled serve config` in a session of its own and return at once; see `LocalTiled.wait_ready`.

    On Linux the kernel ends it with the thread that called this, should that die without `LocalTiled.stop`.

    Parameters
    ----------
    directory
        Holds configuration, catalogue, tables (both SQLite: tiled's DuckDB storage kills the server) and
        arrays. One that has been used before is used again, with all that is in it.
    port
        0: a free one.
    api_key
        By default a new random one. It stands in the configuration file alone, readable by its owner.
    readable_storage
        Folders whose files may be registered, such as the detector's.
    """
    directory = Path(directory).absolute()
    (directory / "data").mkdir(parents=True, exist_ok=True)
    api_key = api_key or secrets.token_hex(24)
    config = directory / "config.yml"
    config.touch(mode=0o600)
    config.write_text(_config(directory, port, api_key, readable_storage), "utf-8")
    environ = {key: value for key, value in os.environ.items() if not key.startswith("TILED_")}
    with (directory / "tiled.log").open("wb") as log:
        process = subprocess.Popen(
            _command(config),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**environ, "PYTHONUNBUFFERED": "1"},
            start_new_session=True,
        )
    return LocalTiled(directory, api_key, process)


def _command(config: Path) -> list[str]:
    command = ["tiled", "serve", "config", str(config)]
    if sys.platform != "linux":
        return [sys.executable, "-m", *command]
    return [sys.executable, "-c", _LEASH, str(os.getpid()), *command]


def _config(directory: Path, port: int, api_key: str, readable: Sequence[str | Path]) -> str:
    arguments = {
        "uri": f"sqlite:///{directory / 'catalog.db'}",
        "init_if_not_exists": True,
        "writable_storage": [str(directory / "data"), f"sqlite:///{directory / 'tables.db'}"],
        "readable_storage": [str(path) for path in readable],
    }
    content = {
        "authentication": {"single_user_api_key": api_key, "allow_anonymous_access": False},
        "trees": [{"path": "/", "tree": "catalog", "args": arguments}],
        "uvicorn": {"host": "127.0.0.1", "port": port},
    }
    return json.dumps(content, indent=2)  # which is YAML too
