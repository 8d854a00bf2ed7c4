"""Lines a collector can read, from a process of their own so that no other test's logging is touched."""

from __future__ import annotations

import json
import subprocess
import sys

SCRIPT = """
import logging, structlog
from streamlcn.telemetry import configure_logging
configure_logging({style!r}, "info")
configure_logging({style!r}, "info")
with structlog.contextvars.bound_contextvars(scan_uid="3f2a", stage="segment"):
    structlog.get_logger("ours").warning("frame_late", index=7)
    logging.getLogger("theirs").warning("said %s", "something")
structlog.get_logger("ours").debug("not_shown")
try:
    1 / 0
except ZeroDivisionError:
    structlog.get_logger("ours").exception("broken")
"""


def lines(style: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(style=style)], capture_output=True, text=True, check=True
    )
    assert done.stdout == "", "standard output belongs to commands"
    return done.stderr.splitlines()


def test_json_lines_carry_scan_and_stage():
    ours, theirs, broken = (json.loads(line) for line in lines("json"))
    assert (ours["message"], ours["index"], ours["level"]) == ("frame_late", 7, "warning")
    assert theirs["message"] == "said something"
    for line in (ours, theirs):
        assert (line["scan_uid"], line["stage"]) == ("3f2a", "segment")
        assert line["timestamp"].endswith("Z")
    assert broken["exception"][0]["exc_type"] == "ZeroDivisionError"


def test_console_lines_are_for_people():
    first = lines("console")[0]
    assert "frame_late" in first
    assert "3f2a" in first


def test_the_room_loads_nothing_heavy():
    heavy = "sorted({'torch', 'numba', 'tiled', 'zmq'} & set(sys.modules))"
    script = f"import sys, streamlcn.telemetry, streamlcn.web; print({heavy})"
    assert subprocess.check_output([sys.executable, "-c", script], text=True).strip() == "[]"
