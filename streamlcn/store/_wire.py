"""Tiled's HTTP interface, as far as writing results needs it.

The tiled client is not used for writing: it sends a wrong request again for 24 s, a request to a dead server
for 25 s, and asks before most things it does. Here each call is one request, sent again only where that can
help, and for a time that the settings state.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson

from streamlcn.errors import StoreFailed
from streamlcn.store._refused import ResultRefused

if TYPE_CHECKING:
    import httpx

__all__ = ["Node", "OnRequest", "TiledWire"]

Node = tuple[str, ...]
"""Keys from the server's root down."""

OnRequest = Callable[[str, float], None]
"""Takes the outcome of each request ("ok", "refused", "failed") and its seconds; from any thread."""

_PAUSES_S = (0.1, 0.4, 1.0)  # before the second, third and fourth try
_LOCKED_OUT = (401, 403, 404)  # a key or a server may be put right
_ANSWERS = (404, 409)  # to "is it there?" and "make it"
_CONNECT_S = 3.0
_IMPATIENT_S = 5.0


class TiledWire:
    """One server, spoken to over a few kept-alive connections. May be used from several threads."""

    def __init__(
        self,
        uri: str,
        api_key: str | None,
        *,
        timeout_s: float,
        sleep: Callable[[float], None],
        on_request: OnRequest = lambda _outcome, _seconds: None,
    ) -> None:
        self.uri = uri.rstrip("/")
        self._sleep = sleep
        self._headers = {"Accept": "application/json"}
        if api_key:
            self._headers["Authorization"] = f"Apikey {api_key}"
        self._timeout_s = timeout_s
        self._on_request = on_request
        self._lock = threading.Lock()
        self._open_client: httpx.Client | None = None

    def close(self) -> None:
        """Close the connections; a later request opens new ones."""
        with self._lock:
            client, self._open_client = self._open_client, None
        if client is not None:
            client.close()

    def address(self, node: Node) -> str:
        """Return what `tiled.client.from_uri` takes to open ``node``."""
        return f"{self.uri}/api/v1/metadata/{'/'.join(node)}"

    def create(self, node: Node, body: Mapping[str, Any]) -> bool:
        """Create ``node``; False when it is there already. Raises `LookupError` where its parent is not."""
        content = orjson.dumps({**body, "id": node[-1]})
        answer = self._send("POST", self.address(node[:-1]), content, accept=(404, 409))
        if answer.status_code == 404:
            raise LookupError("/".join(node[:-1]))
        return answer.status_code != 409

    def describe(self, node: Node) -> dict[str, Any] | None:
        """Return the attributes of ``node`` (metadata, structure, specs); None where there is none."""
        answer = self._send("GET", self.address(node), None, accept=(404,))
        if answer.status_code == 404:
            return None
        attributes: dict[str, Any] = orjson.loads(answer.content)["data"]["attributes"]
        return attributes

    def delete(self, node: Node) -> None:
        """Delete ``node`` and all below it, data included."""
        parameters = {"recursive": "true", "external_only": "false"}
        self._send("DELETE", self.address(node), None, parameters, accept=(404,))

    def replace_metadata(self, node: Node, metadata: Mapping[str, Any], *, is_patient: bool = True) -> None:
        """Give ``node`` this metadata in place of what it has. Impatient: one short try."""
        body = orjson.dumps({"metadata": dict(metadata), "specs": None})
        self._send("PUT", self.address(node), body, {"drop_revision": "true"}, is_patient=is_patient)

    def put_block(self, node: Node, block: Sequence[int], content: bytes | memoryview) -> None:
        """Write one chunk of an array, whole."""
        where = f"{self.uri}/api/v1/array/block/{'/'.join(node)}"
        parameters = {"block": ",".join(map(str, block))}
        self._send("PUT", where, bytes(content), parameters, media="application/octet-stream")

    def get_block(self, node: Node, block: Sequence[int]) -> bytes:
        """Return one chunk of an array as `put_block` takes it."""
        where = f"{self.uri}/api/v1/array/block/{'/'.join(node)}"
        parameters = {"block": ",".join(map(str, block)), "format": "application/octet-stream"}
        return self._send("GET", where, None, parameters).content

    def put_table(self, node: Node, content: bytes) -> None:
        """Write a table, an Arrow file, whole."""
        where = f"{self.uri}/api/v1/table/full/{'/'.join(node)}"
        self._send("PUT", where, content, media="application/vnd.apache.arrow.file")

    def _send(
        self,
        method: str,
        url: str,
        content: bytes | None,
        parameters: Mapping[str, str] | None = None,
        *,
        media: str = "application/json",
        accept: tuple[int, ...] = (),
        is_patient: bool = True,
    ) -> httpx.Response:
        """Send until there is an answer that further tries would not change."""
        import httpx

        problem, kind = "", StoreFailed
        cause: Exception | None = None
        for pause in (*_PAUSES_S, None) if is_patient else (None,):
            try:
                answer = self._once(
                    method,
                    url,
                    params=parameters,
                    content=content,
                    headers={"Content-Type": media},
                    timeout=_timeout(self._timeout_s if is_patient else _IMPATIENT_S),
                )
            except httpx.ConnectError as error:
                problem, cause = f"no connection ({error})", error
            except httpx.TransportError as error:
                problem, cause = f"{type(error).__name__} {error}".strip(), error
            else:
                if answer.is_success or answer.status_code in accept:
                    return answer
                problem = f"{answer.status_code} {_detail(answer)}"
                if answer.status_code < 500 and answer.status_code != 429:
                    kind = StoreFailed if answer.status_code in _LOCKED_OUT else ResultRefused
                    break
            if pause is not None:
                self._sleep(pause)
        raise kind(
            f"tiled at {self.uri}: {method} {url.removeprefix(self.uri)} failed: {problem}; "
            "see the server's log, and `streamlcn check` for address and key"
        ) from cause

    def _once(self, method: str, url: str, **more: Any) -> httpx.Response:
        """Send one request and tell how it went."""
        began_s, outcome = time.perf_counter(), "failed"
        try:
            answer = self._client().request(method, url, **more)
            if answer.status_code < 500 and answer.status_code != 429:
                is_taken = answer.is_success or answer.status_code in _ANSWERS
                outcome = "ok" if is_taken else "refused"
            return answer
        finally:
            self._on_request(outcome, time.perf_counter() - began_s)

    def _client(self) -> httpx.Client:
        with self._lock:
            if self._open_client is None:
                import httpx

                self._open_client = httpx.Client(headers=self._headers, trust_env=False)
            return self._open_client


def _timeout(seconds: float) -> httpx.Timeout:
    import httpx

    return httpx.Timeout(seconds, connect=min(_CONNECT_S, seconds))


def _detail(answer: httpx.Response) -> str:
    try:
        detail = orjson.loads(answer.content).get("detail")
    except (orjson.JSONDecodeError, AttributeError):
        detail = answer.text
    return str(detail)[:300]
