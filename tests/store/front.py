"""A reverse proxy before a real tiled server that answers badly, late or not at all when it is told to."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

__all__ = ["Front", "front_of"]

Fault = Callable[[int, str], int | str | None]
"""Takes how often this very request came before, and its method; returns what is wrong, None for nothing.

A status is answered in the server's stead. ``"lost 500"``: the server does it, the sender hears 500.
``"cut"``: the server does it, the connection closes without an answer.
"""


class Front:
    """Address, requests so far, and the fault of the next ones."""

    def __init__(self, behind: str) -> None:
        self.behind = behind
        self.requests: Counter[tuple[str, str]] = Counter()
        self.fault: Fault = lambda _times, _method: None
        self.uri = ""
        self.lock = threading.Lock()

    def next_fault(self, method: str, path: str) -> int | str | None:
        """Count a request and return its fault."""
        with self.lock:
            self.requests[method, path] += 1
            return self.fault(self.requests[method, path] - 1, method)


@contextmanager
def front_of(behind: str) -> Iterator[Front]:
    """Serve until the end of the block."""
    front = Front(behind.rstrip("/"))
    with httpx.Client(trust_env=False, timeout=30) as client:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(front, client))
        server.daemon_threads = True
        front.uri = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield front
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def _handler(front: Front, client: httpx.Client) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            try:
                super().handle_one_request()
            except (ConnectionError, ValueError):  # the sender is gone
                self.close_connection = True

        def _pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fault = front.next_fault(self.command, self.path)
            if isinstance(fault, int):
                self._answer(fault, b'{"detail": "told to say so"}', {})
                return
            names = ("Accept", "Authorization", "Content-Type")
            headers = {name: self.headers[name] for name in names if name in self.headers}
            answer = client.request(self.command, front.behind + self.path, content=body, headers=headers)
            if fault == "cut":
                self.close_connection = True
            elif fault is not None:
                self._answer(500, b"{}", {})
            else:
                kind = {"Content-Type": answer.headers.get("Content-Type", "application/json")}
                self._answer(answer.status_code, answer.content, kind)

        def _answer(self, status: int, content: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = _pass_on  # noqa: N815

        def log_message(self, *_words: object) -> None:
            pass

    return Handler
