"""Real proxies and publishers of bluesky, each proxy in a process of its own, on free ports."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from streamlcn.documents import ZmqSource
from tests import waiting

PATIENCE_S = 30.0

_PROXY = """
import sys
from pathlib import Path
from bluesky.callbacks.zmq import Proxy, ServerCurve
inward, outward, secret = sys.argv[1:]
options = {"out_curve": ServerCurve(Path(secret), None, None)} if secret else {}
proxy = Proxy(inward, outward, **options)
print(proxy.in_port, proxy.out_port, flush=True)
proxy.start()
"""
_ANY = "tcp://127.0.0.1"


@contextmanager
def a_proxy(inward: str = _ANY, outward: str = _ANY, secret: Path | None = None) -> Iterator[tuple[str, str]]:
    """Run a proxy until the end of the context, then kill it; yields its two addresses."""
    command = [sys.executable, "-W", "ignore", "-c", _PROXY, inward, outward, str(secret or "")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            found = process.stdout.readline().split()
            yield found[0], found[1]
        finally:
            process.kill()


def until(is_so: Callable[[], Any], what: str) -> None:
    """Wait for something that a thread or another process does."""
    waiting.until(is_so, what, PATIENCE_S)


def received(source: ZmqSource, count: int) -> list[tuple[str, dict[str, Any]]]:
    """The next documents."""
    found = []
    for _ in range(count):
        one = source.receive(PATIENCE_S)
        assert one is not None, f"only {len(found)} of {count} documents came"
        found.append(one)
    return found


def nothing_more(source: ZmqSource) -> bool:
    """Whether a sentinel sent afterwards would be the next; here: nothing comes for a moment."""
    return source.receive(0.2) is None
