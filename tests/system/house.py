"""The daemon as a beamline runs it: a real proxy, a real tiled server and `streamlcn run`, as processes."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx

from simulators.publisher import DocumentPublisher
from streamlcn.demo._processes import Child, Children
from streamlcn.errors import BadInput
from streamlcn.store import StoredResult, find_result, read_result
from tests import waiting
from tests.service.rod import folder

KEY_VARIABLE = "STREAMLCN_TEST_KEY"
PATIENCE_S = 200.0


def until(condition: Callable[[], Any], what: str, patience_s: float = PATIENCE_S) -> Any:
    """Return what ``condition`` returns once that is true."""
    return waiting.until(condition, what, patience_s)


class House:
    """Proxy and daemon; the daemon can be killed and started again. `state` outlives it."""

    def __init__(
        self, children: Children, directory: Path, tiled_uri: str, api_key: str, **more: Any
    ) -> None:
        self._children, self.directory = children, directory
        self._environ = {KEY_VARIABLE: api_key}
        proxy = children.start("proxy", ["streamlcn.demo.proxy"])
        self.proxy_in, proxy_out = until(lambda: proxy.line(1.0), "proxy").split()
        options = {
            "ingest.address": proxy_out,
            "ingest.state_dir": str(directory / "state"),
            "documents.files.allowed_roots": f"[{folder()}]",
            "documents.settle_s": 0.2,
            "segmentation": "{backend: otsu}",
            "morphometry.island_threshold_voxels": 5,
            "store.uri": tiled_uri,
            "store.api_key_env": KEY_VARIABLE,
            "store.retry_s": 1.0,
            "web.port": 0,
            **more,
        }
        self._words = [word for key, value in options.items() for word in ("--set", f"{key}={value}")]
        self.daemon: Child
        self.url = ""
        self.starts = 0

    def start(self) -> None:
        """Start the daemon and wait until it is subscribed; its worker may still be loading."""
        self.starts += 1
        command = ["streamlcn", "run", "anatomix", "--json", *self._words]
        self.daemon = self._children.start(f"daemon {self.starts}", command, self._environ)

        def address() -> str | None:
            self.daemon.check()
            return self.daemon.line(0.1)

        self.url = json.loads(until(address, "daemon"))["url"]
        until(lambda: self.ask("/readyz").get("subscribed"), "subscription")

    def ask(self, path: str) -> dict[str, Any]:
        """Return the JSON at ``path``; empty while nobody answers."""
        try:
            found: dict[str, Any] = httpx.get(f"{self.url}{path}", timeout=10, trust_env=False).json()
        except (httpx.TransportError, ValueError):
            return {}
        return found

    def received(self) -> int:
        """Documents that are in the journal."""
        return (self.ask("/api/status").get("ingest") or {}).get("documents", 0)

    def worker_pid(self) -> int | None:
        """Process id of the worker."""
        children = Path(f"/proc/{self.daemon.process.pid}/task/{self.daemon.process.pid}/children")
        with suppress(FileNotFoundError, ProcessLookupError):
            for pid in children.read_text().split():
                with suppress(FileNotFoundError, ProcessLookupError):
                    if b"worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
                        return int(pid)
        return None

    def kill_worker(self) -> None:
        """SIGKILL, if it lives."""
        pid = self.worker_pid()
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def kill_daemon(self) -> None:
        """SIGKILL the first process; the kernel takes the worker along."""
        worker = self.worker_pid()
        self.daemon.process.kill()
        self.daemon.process.wait()
        if worker is not None:
            until(lambda: not Path(f"/proc/{worker}").exists() or _is_zombie(worker), "death of the worker")

    def stop(self) -> int:
        """SIGTERM; return the exit status."""
        self.daemon.ask_to_leave()
        return self.daemon.process.wait(20)

    @contextmanager
    def publishing(self) -> Iterator[DocumentPublisher]:
        """Yield a publisher that the proxy listens to."""
        with DocumentPublisher(self.proxy_in) as publisher:
            publisher.wait_until_heard()
            yield publisher

    def publish(self, documents: Iterable[tuple[str, dict[str, Any]]]) -> None:
        """Publish and wait until all are in the journal."""
        documents = list(documents)
        before = self.received()
        with self.publishing() as publisher:
            for name, document in documents:
                publisher(name, document)
        until(lambda: self.received() >= before + len(documents), f"{len(documents)} documents")


def _is_zombie(pid: int) -> bool:
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    return True


def result_of(uri: str, api_key: str, uid: str) -> StoredResult:
    """Wait for a committed result and read it whole."""

    def look() -> StoredResult | None:
        with suppress(BadInput):
            node = find_result(uri, api_key, uid)
            with closing(node.context):  # one that is not committed may be begun anew while it is read
                return read_result(node) if node.metadata["status"] != "processing" else None
        return None

    found: StoredResult = until(look, f"result of {uid}")
    return found
