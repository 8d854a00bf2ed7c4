"""A real Chromium through chromedriver's W3C protocol: as much of it as the live page needs."""

from __future__ import annotations

import base64
import contextlib
import json
import shutil
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator
from typing import Any

BINARIES = ("chromium", "chromedriver")
MISSING = [name for name in BINARIES if shutil.which(name) is None]


class Browser:
    """One window."""

    def __init__(self, root: str, session: str) -> None:
        self._base = f"{root}/session/{session}"

    def open(self, url: str) -> None:
        _call("POST", f"{self._base}/url", {"url": url})

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a script's body and return what it returns."""
        return _call("POST", f"{self._base}/execute/sync", {"script": script, "args": list(arguments)})

    def wait_for(self, condition: str, *, timeout_s: float = 15.0) -> Any:
        """Return the first truthy value of a JavaScript expression; the browser looks at each change."""
        script = """
            const [seconds, done] = [arguments[0], arguments[1]], check = () => CONDITION;
            const end = performance.now() + 1000 * seconds;
            (function look() {
                let value = null;
                try { value = check(); } catch { value = null; }
                if (value || performance.now() > end) done(value); else setTimeout(look, 30);
            })();""".replace("CONDITION", f"({condition})")
        value = _call("POST", f"{self._base}/execute/async", {"script": script, "args": [timeout_s]})
        assert value, (
            f"never true in the browser: {condition}\npage: {self.run('return document.body.innerText')}"
        )
        return value

    def size(self, width: int, height: int, *, is_phone: bool = False) -> None:
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": is_phone},
        )

    def colour_scheme(self, scheme: str) -> None:
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.devtools("Emulation.setEmulatedMedia", {"features": features})

    def devtools(self, command: str, parameters: dict[str, Any]) -> Any:
        return _call("POST", f"{self._base}/goog/cdp/execute", {"cmd": command, "params": parameters})

    def picture(self) -> bytes:
        return base64.b64decode(_call("GET", f"{self._base}/screenshot"))

    def complaints(self) -> list[str]:
        """Return what the console said at level SEVERE since the last call."""
        lines = _call("POST", f"{self._base}/se/log", {"type": "browser"})
        return [line["message"] for line in lines if line["level"] == "SEVERE"]


@contextlib.contextmanager
def open_browser() -> Iterator[Browser]:
    """Start chromedriver on a free port and a headless window; end both by their own handles."""
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as home,
        subprocess.Popen(
            ["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as driver,
    ):
        try:
            assert driver.stdout is not None
            started = next(line for line in driver.stdout if "started successfully on port" in line)
            root = f"http://127.0.0.1:{started.rstrip('. ' + chr(10)).rsplit(' ', 1)[1]}"
            session = _call("POST", f"{root}/session", {"capabilities": {"alwaysMatch": _wishes(home)}})
            try:
                yield Browser(root, session["sessionId"])
            finally:
                _call("DELETE", f"{root}/session/{session['sessionId']}")
        finally:
            driver.terminate()
            driver.wait(10)


def _wishes(home: str) -> dict[str, Any]:
    switches = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
    return {
        "browserName": "chrome",
        "goog:loggingPrefs": {"browser": "ALL"},
        "timeouts": {"script": 60000},
        "goog:chromeOptions": {"args": [*switches, f"--user-data-dir={home}"]},
    }


def _call(method: str, url: str, body: dict[str, Any] | None = None) -> Any:
    data = json.dumps(body).encode() if body is not None else None
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=90) as reply:
        return json.load(reply)["value"]
