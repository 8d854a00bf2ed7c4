"""uvicorn in a thread of the daemon."""

from __future__ import annotations

import socket
import threading
from typing import Any

import uvicorn
from starlette.applications import Starlette

from streamlcn.errors import BadInput

__all__ = ["WebServer", "serve"]


class WebServer:
    """A running server. ``url`` names the real port; `stop` ends it and its thread."""

    def __init__(self, app: Starlette, listener: socket.socket) -> None:
        host, port = listener.getsockname()[:2]
        named = f"[{host}]" if ":" in host else host
        self.url = f"http://{named}:{port}"
        self.port: int = port
        self._app = app
        config = uvicorn.Config(
            app, log_config=None, access_log=False, timeout_graceful_shutdown=2, lifespan="off", ws="none"
        )
        self._server = _Announced(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, name="web", daemon=True
        )
        self._thread.start()
        self._server.is_up.wait(10)

    def stop(self, timeout_s: float = 5.0) -> None:
        """End open streams, close the port and join the thread; may be called twice."""
        streams: Any = getattr(self._app.state, "streams", None)
        if streams is not None:
            streams.close()
        self._server.should_exit = True
        self._thread.join(timeout_s)


class _Announced(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()


def serve(app: Starlette, host: str = "127.0.0.1", port: int = 0) -> WebServer:
    """Serve ``app`` from a thread; port 0 takes a free one. Raises `BadInput` when the address is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise BadInput(
            f"the live page cannot listen on {host}:{port}: {error.strerror or error}; "
            "choose another web.host or web.port in the profile (port 0 takes a free one)"
        ) from error
    return WebServer(app, listener)
