"""Real HTTP against a real uvicorn."""

from __future__ import annotations

import json
import re
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from pixel import DOT

from streamlcn.errors import BadInput
from streamlcn.web import make_app, serve
from streamlcn.web._runbook import anchor, runbook_page

PAGE = Path(__file__).parents[2] / "streamlcn" / "web" / "page"


def get(daemon, path):
    return httpx.get(daemon.url + path, timeout=10)


def events(lines):
    """Yield (name, data) of server-sent events."""
    name = ""
    for line in lines:
        if line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            yield name, json.loads(line[6:])


def first_status(lines, fits):
    return next(data for name, data in events(lines) if name == "status" and fits(data))


def test_probes_say_progress_and_readiness(daemon):
    assert get(daemon, "/livez").status_code == 200
    reply = get(daemon, "/readyz")
    assert (reply.status_code, reply.json()["subscribed"]) == (503, False)
    daemon.say(event="ingest", connected=True)
    daemon.say(event="model", name="sensor3d", sha256="ab")
    assert get(daemon, "/readyz").status_code == 200


def test_metrics_are_prometheus_text(daemon):
    daemon.scan("acquiring", 30)
    reply = get(daemon, "/metrics")
    assert reply.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert "streamlcn_scan_progress_ratio 0.25" in reply.text


def test_status_and_pictures(daemon):
    daemon.scan("acquiring", 30)
    daemon.say(event="preview", plane="xz", kind="reconstruction", png=DOT, provisional=True)
    status = get(daemon, "/api/status").json()
    assert (status["scan"]["received"], status["profile"], status["health"]["live"]) == (30, "anatomix", True)
    reply = get(daemon, status["pictures"]["xz-reconstruction"]["url"])
    assert (reply.content, reply.headers["content-type"]) == (DOT, "image/png")
    assert get(daemon, "/preview/xy/labels.png").status_code == 404
    assert get(daemon, "/preview/..%2f..%2fetc/passwd.png").status_code == 404


def test_the_page_needs_nothing_from_elsewhere(daemon):
    page = get(daemon, "/").text
    for path in re.findall(r'(?:src|href)="([^"]+)"', page):
        assert path.startswith("/"), "a remote asset"
        assert get(daemon, path).status_code == 200
    for name in ("live.css", "live.js", "live.html"):
        assert not re.search(r"(?:url\(|from |src=|href=)[\"']?https?:", (PAGE / name).read_text())
    assert "default-src 'self'" in get(daemon, "/").headers["content-security-policy"]


def test_a_stream_starts_with_the_whole_state_and_follows_it(daemon):
    daemon.scan("acquiring", 30)
    with httpx.stream("GET", daemon.url + "/events", timeout=10) as reply:
        assert reply.headers["x-accel-buffering"] == "no"
        lines = reply.iter_lines()
        assert first_status(lines, lambda status: True)["scan"]["received"] == 30
        daemon.scan("acquiring", 31)
        assert first_status(lines, lambda status: status["version"] > 1)["scan"]["received"] == 31
        assert next(data for name, data in events(lines) if name == "pulse")["live"] is True


def test_many_readers_and_a_fast_writer_end_on_the_last_state(daemon):
    def follow(_number):
        with httpx.stream("GET", daemon.url + "/events", timeout=20) as reply:
            joined.wait(20)
            first_status(reply.iter_lines(), lambda status: status["scan"]["received"] == 120)
        return True

    joined = threading.Barrier(21)
    with ThreadPoolExecutor(20) as pool:
        readers = pool.map(follow, range(20))
        joined.wait(20)
        for received in range(121):
            daemon.scan("acquiring", received)
        assert list(readers) == [True] * 20


def test_stop_ends_open_streams(daemon):
    with httpx.stream("GET", daemon.url + "/events", timeout=10) as reply:
        lines = reply.iter_lines()
        first_status(lines, lambda status: True)
        daemon.server.stop()
        assert all(True for _ in lines), "the stream ends cleanly"
    with pytest.raises(httpx.ConnectError):
        get(daemon, "/livez")


def test_a_taken_address_is_bad_input_with_a_remedy(daemon):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        app = make_app(daemon.board, daemon.health, daemon.telemetry)
        with pytest.raises(BadInput, match=rf"{port}.*web.port"):
            serve(app, port=port)


def test_the_runbook_is_served_with_its_anchors(daemon):
    page = get(daemon, "/runbook").text
    for title in ("down", "frames-missing", "store", "scan-failed"):
        assert f'<h2 id="{title}">' in page
    assert '<a href="#store">spooling</a>' in page


def test_runbook_text_is_escaped():
    page = runbook_page("# A <b> & `x<y`\n\n- one\n- two\n\n    code <here>")
    assert '<h1 id="a-b--xy">A &lt;b&gt; &amp; <code>x&lt;y</code></h1>' in page
    assert "<ul><li>one</li>\n<li>two</li></ul>" in page.replace("</li><li>", "</li>\n<li>")
    assert "<pre>code &lt;here&gt;</pre>" in page
    assert anchor("Frames missing!") == "frames-missing"
