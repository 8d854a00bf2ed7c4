"""Are the folders, the port and the time of this machine as the daemon needs them?"""

from __future__ import annotations

import errno
import os
import shutil
import socket
import tempfile
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path

from streamlcn.cli._check_servers import tiled_answer
from streamlcn.cli._finding import Finding, Subject, amber, green, red

__all__ = ["check_clock", "check_journal", "check_roots", "check_spool", "check_web"]

_GB = 1e9
_SPOOL_GB = 20.0
_SKEW_S = 2.0
_EARLIEST = datetime(2025, 1, 1, tzinfo=UTC)


def check_journal(subject: Subject) -> Finding:
    """Documents can be kept, with room for all that retention keeps."""
    journal = subject.profile.ingest.journal
    folder = subject.profile.journal_dir
    finding, free_gb = _writable(folder, "ingest.state_dir")
    if finding is not None:
        return finding
    if free_gb < journal.min_free_gb:
        return red(
            f"{folder} has {free_gb:.1f} GB free, less than the {journal.min_free_gb:g} of "
            "ingest.journal.min_free_gb",
            "free the disk, or set ingest.state_dir to another",
        )
    if free_gb < journal.keep_gb:
        return amber(
            f"{folder}: writable, {free_gb:.0f} GB free, and the journal may grow to {journal.keep_gb:g} GB",
            "free the disk, or lower ingest.journal.keep_gb",
        )
    return green(f"{folder}: writable, {free_gb:.0f} GB free")


def check_spool(subject: Subject) -> Finding:
    """Results can wait while tiled is away."""
    profile = subject.profile
    if profile.store.backend == "memory":
        return green("not needed: results stay in memory")
    folder = profile.spool_dir
    finding, free_gb = _writable(folder, "store.spool_dir")
    if finding is not None:
        return finding
    waiting = sum(1 for path in folder.iterdir() if not path.name.startswith(".")) if folder.is_dir() else 0
    said = f"{folder}: writable, {free_gb:.0f} GB free" + (f", {waiting} results waiting" if waiting else "")
    if free_gb < _SPOOL_GB:
        return amber(
            said, f"less than {_SPOOL_GB:g} GB holds few results: free the disk or set store.spool_dir"
        )
    return green(said)


def check_roots(subject: Subject) -> Finding:
    """Folders of detector files are mounted here and can be read."""
    files = subject.profile.documents.files
    if not files.allowed_roots:
        return green("none: only frames inside documents are accepted")
    for root in files.allowed_roots:
        if not root.is_dir():
            return red(
                f"{root} is not here",
                "mount the detector's folder, or correct documents.files.allowed_roots (and root_map)",
            )
        if not os.access(root, os.R_OK | os.X_OK):
            return red(f"{root} cannot be read by this user", f"give user {os.getuid()} the right to read it")
    for theirs, ours in files.root_map.items():
        if not Path(ours).is_dir():
            return red(
                f"documents.files.root_map leads {theirs} to {ours}, which is not here",
                "correct documents.files.root_map",
            )
    return green(", ".join(map(str, files.allowed_roots)))


def check_web(subject: Subject) -> Finding:
    """The live page can listen."""
    host, port = subject.profile.web.host, subject.profile.web.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE and _is_daemon(host, port):
            return amber(f"{host}:{port}: a daemon runs there already", "stop it before you start another")
        return red(
            f"{host}:{port} cannot be listened on: {error.strerror or error}",
            "choose another web.host or web.port (0 takes a free one)",
        )
    return green(f"{host}:{port}" if port else f"{host}, a free port that the log will name")


def check_clock(subject: Subject) -> Finding:
    """Times of documents and results will mean something."""
    now = datetime.now(UTC)
    if now < _EARLIEST:
        return red(f"it is {now:%Y-%m-%d %H:%M} here", "set the clock; let NTP keep it (timedatectl)")
    answer = tiled_answer(subject) if subject.profile.store.backend == "tiled" else None
    date = None if isinstance(answer, str | None) else answer.headers.get("date")
    if date is None:
        return green(f"{now:%Y-%m-%d %H:%M} UTC; no server to compare it with")
    skew_s = time.time() - parsedate_to_datetime(date).timestamp()
    if abs(skew_s) > _SKEW_S:
        return amber(
            f"this clock is {skew_s:+.0f} s off that of the tiled server",
            "let NTP keep both (timedatectl), or results and raw data will not match in time",
        )
    return green(f"{now:%Y-%m-%d %H:%M} UTC, as on the tiled server")


def _writable(folder: Path, key: str) -> tuple[Finding | None, float]:
    """Try to write into ``folder``, or where it would be made; return what is wrong and the free GB."""
    place = folder
    while not place.exists() and place != place.parent:
        place = place.parent
    try:
        with tempfile.TemporaryFile(dir=place) as file:
            file.write(b"streamlcn check")
            file.flush()
        return None, shutil.disk_usage(place).free / _GB
    except OSError as error:
        why = error.strerror or str(error)
        return red(
            f"{folder} cannot be written to ({place}: {why})", f"give this user the right, or set {key}"
        ), 0.0


def _is_daemon(host: str, port: int) -> bool:
    import httpx

    try:
        return (
            "porosity_band"
            in httpx.get(f"http://{host}:{port}/api/status", timeout=2.0, trust_env=False).text
        )
    except (httpx.HTTPError, httpx.InvalidURL):
        return False
