"""The daemon and its worker."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import click
import orjson

from streamlcn.cli._output import set_option

__all__ = ["run", "worker"]

_POLL_S = 0.02


@click.command()
@click.argument("profile")
@set_option
@click.option("--json", "as_json", is_flag=True, help="Print the page's address as JSON on stdout.")
def run(profile: str, overrides: tuple[str, ...], as_json: bool) -> None:
    """Run the daemon for PROFILE until SIGTERM or Ctrl-C: receive, reconstruct, segment, measure, store.

    PROFILE is a name (anatomix, p05), a YAML file, or a folder with profile.yaml. Any of its keys can be
    given here: streamlcn run anatomix --set ingest.address=tcp://rpi:5578 --set store.uri=http://tiled:8000
    """
    from streamlcn.profile import load_profile, parse_overrides
    from streamlcn.service import Daemon
    from streamlcn.store import read_api_key
    from streamlcn.telemetry import configure_logging

    loaded = load_profile(profile, parse_overrides(overrides))
    configure_logging(loaded.telemetry.log_format, loaded.telemetry.log_level)
    if loaded.store.backend == "tiled":
        read_api_key(loaded.store, os.environ)  # a missing key is said now, not after the first scan
    words = ["-m", "streamlcn", "worker", profile]
    words += [word for override in overrides for word in ("--set", override)]
    stop = _stop_flag()
    daemon = Daemon(loaded, [sys.executable, *words])
    try:
        _announce(daemon.url, loaded.state_dir, as_json)
        while not stop:
            daemon.step()
    finally:
        daemon.close()


@click.command(hidden=True)
@click.argument("profile")
@set_option
@click.option("--events", required=True, help="Where the daemon listens for events.")
@click.option(
    "--parent", type=int, required=True, help="Process id of the daemon; its death ends the worker."
)
def worker(profile: str, overrides: tuple[str, ...], events: str, parent: int) -> None:
    """Make results of the journal; started and restarted by `run`."""
    from streamlcn.service import die_with_parent, only_worker

    die_with_parent(parent)
    from streamlcn.compose import make_parts, make_worker
    from streamlcn.profile import load_profile, parse_overrides
    from streamlcn.service import EventSender
    from streamlcn.service.warm_up import warm_up
    from streamlcn.telemetry import EventTelemetry, configure_logging

    loaded = load_profile(profile, parse_overrides(overrides))
    configure_logging(loaded.telemetry.log_format, loaded.telemetry.log_level)
    stop = _stop_flag()
    send = EventSender(events)
    with only_worker(loaded.journal_dir):
        parts = make_parts(loaded, telemetry=EventTelemetry(send), emit=send)
        warm_up(parts.segmenter)
        working = make_worker(loaded, parts)
        description = parts.segmenter.description
        send({"event": "model", "name": description["name"], "sha256": description.get("sha256") or ""})
        try:
            while not stop:
                if not working.step():
                    time.sleep(_POLL_S)
        finally:
            working.close()
            parts.frames.close()
            parts.store.close()
            send.close()


def _stop_flag() -> list[int]:
    """Return a list that a first SIGTERM, SIGINT or SIGHUP fills; a second one has its usual effect."""
    caught: list[int] = []
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)

    def catch(number: int, _frame: object) -> None:
        caught.append(number)
        for each in numbers:
            signal.signal(each, signal.SIG_DFL)

    for number in numbers:
        signal.signal(number, catch)
    return caught


def _announce(url: str, state_dir: Path, as_json: bool) -> None:
    if as_json:
        told = {"url": url, "pid": os.getpid(), "state_dir": str(state_dir)}
        click.echo(orjson.dumps(told).decode())
        sys.stdout.flush()
    else:
        click.echo(f"live page: {url}", err=True)
