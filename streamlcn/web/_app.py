"""The service's address: page, probes, telemetry, status and live updates. Read-only, no login."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib.resources import files

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse
from starlette.routing import Route

from streamlcn.telemetry import Health, PrometheusTelemetry
from streamlcn.web._board import Board
from streamlcn.web._runbook import runbook_page
from streamlcn.web._streams import Streams

__all__ = ["make_app"]

_Endpoint = Callable[[Request], Awaitable[Response]]
_PAGE = files("streamlcn.web") / "page"
_TYPES = {"live.css": "text/css", "live.js": "text/javascript", "icon.svg": "image/svg+xml"}
_SAFE = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; frame-ancestors 'self'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
_FRESH = {**_SAFE, "Cache-Control": "no-store"}


def make_app(
    board: Board, health: Health, telemetry: PrometheusTelemetry, *, page_hz: float = 5.0
) -> Starlette:
    """Return the app. Its ``state.streams.close()`` ends the open event streams before a shutdown."""
    streams = Streams(board, health, page_hz)
    app = Starlette(routes=[*_pages(), *_probes(health, telemetry), *_live(board, streams)])
    app.state.streams = streams
    return app


def _pages() -> list[Route]:
    async def page(_request: Request) -> Response:
        return HTMLResponse((_PAGE / "live.html").read_text("utf-8"), headers=_FRESH)

    async def runbook(_request: Request) -> Response:
        return HTMLResponse(runbook_page((_PAGE / "RUNBOOK.md").read_text("utf-8")), headers=_SAFE)

    def asset(name: str) -> _Endpoint:
        async def send(_request: Request) -> Response:
            return Response((_PAGE / name).read_bytes(), media_type=_TYPES[name], headers=_FRESH)

        return send

    assets = [Route(f"/page/{name}", asset(name)) for name in _TYPES]
    return [Route("/", page), Route("/runbook", runbook), *assets]


def _probes(health: Health, telemetry: PrometheusTelemetry) -> list[Route]:
    async def livez(_request: Request) -> Response:
        return _verdict(*health.livez())

    async def readyz(_request: Request) -> Response:
        return _verdict(*health.readyz())

    async def metrics(_request: Request) -> Response:
        return Response(telemetry.render(), media_type="text/plain; version=0.0.4")

    return [Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)]


def _live(board: Board, streams: Streams) -> list[Route]:
    async def status(_request: Request) -> Response:
        whole = {**board.status(), "health": streams.health()}
        return Response(orjson.dumps(whole), media_type="application/json", headers=_FRESH)

    async def live(_request: Request) -> Response:
        headers = {**_FRESH, "X-Accel-Buffering": "no"}
        return StreamingResponse(streams.stream(), media_type="text/event-stream", headers=headers)

    async def preview(request: Request) -> Response:
        png = board.picture(request.path_params["plane"], request.path_params["kind"])
        if png is None:
            return Response("no such picture yet\n", 404, media_type="text/plain", headers=_FRESH)
        return Response(png, media_type="image/png", headers=_FRESH)

    return [
        Route("/api/status", status),
        Route("/events", live),
        Route("/preview/{plane}/{kind}.png", preview),
    ]


def _verdict(good: bool, reasons: dict[str, object]) -> Response:
    return Response(
        orjson.dumps(reasons), 200 if good else 503, media_type="application/json", headers=_FRESH
    )
