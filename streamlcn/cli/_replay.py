"""Scans that are over, processed again."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.progress import Progress

from streamlcn.cli._output import console, json_option, print_json, set_option
from streamlcn.cli._volumes import positive
from streamlcn.errors import BadInput

if TYPE_CHECKING:
    from streamlcn.model import ScanUpdate
    from streamlcn.profile import Profile
    from streamlcn.service import Said

__all__ = ["replay"]

_UID = re.compile(r"[0-9a-fA-F-]{32,36}")


@click.command()
@click.argument("source", required=False)
@click.argument("profile", required=False)
@click.option(
    "--query",
    help="Instead of SOURCE: all scans in tiled whose result fulfils this: status=complete,profile=p05.",
)
@click.option("--profile", "new_profile", help="Instead of PROFILE.")
@set_option
@click.option("--run", "uid", help="Of a journal, this raw run alone.")
@click.option("--voxel-size-um", type=float, callback=positive, help="Of a file that does not say it.")
@click.option(
    "--phase-shift-rad", type=float, help="Shift of the Zernike plate, if the file does not say it."
)
@click.option(
    "--line-integrals",
    is_flag=True,
    help="Frames of the file are -log(transmission), without references.",
)
@json_option
def replay(
    source: str | None,
    profile: str | None,
    query: str | None,
    new_profile: str | None,
    overrides: tuple[str, ...],
    uid: str | None,
    voxel_size_um: float | None,
    phase_shift_rad: float | None,
    line_integrals: bool,
    as_json: bool,
) -> int:
    """Process SOURCE again under PROFILE and file the results, as if its scans were running now.

    SOURCE is a scan file (NXtomo, DXchange), the folder of a journal, or the uid of a raw run in tiled
    (at documents.backfill.uri, else on the server of the results). The same scan under the same
    recipe gives the same bits as live, and takes the place of its earlier result.

    With --query the scans are those whose results on the server of PROFILE fulfil all conditions, separated
    by commas: KEY=VALUE, also != > < >= <=. Those that have a complete result under the profile's recipe are
    left alone, so that a campaign that was interrupted goes on where it was. At the end stands a table, old
    against new.

    \b
    Examples:
      streamlcn replay scan.nxs anatomix
      streamlcn replay ~/.local/state/streamlcn/p05/journal p05
      streamlcn replay --query 'status=complete,profile=anatomix' --profile anatomix-v2
    """
    if query is not None:
        return _campaign(query, source, profile, new_profile, overrides, as_json=as_json)
    profile = profile or new_profile
    if source is None or profile is None:
        raise click.UsageError("say what to process and under which profile: SOURCE PROFILE, or --query")
    from streamlcn.service import Said

    said = Said(voxel_size_um=voxel_size_um, phase_shift_rad=phase_shift_rad, is_line_integral=line_integrals)
    return _one_source(source, profile, overrides, said, uid, as_json=as_json)


def _campaign(
    query: str,
    source: str | None,
    profile: str | None,
    new_profile: str | None,
    overrides: tuple[str, ...],
    *,
    as_json: bool,
) -> int:
    from streamlcn.cli._campaign import process_all
    from streamlcn.profile import load_profile, parse_overrides

    given = [name for name in (source, profile, new_profile) if name is not None]
    if len(given) != 1:
        raise click.UsageError("--query takes the place of SOURCE: name one profile beside it")
    return process_all(query, load_profile(given[0], parse_overrides(overrides)), as_json=as_json)


def _one_source(
    source: str,
    profile: str,
    overrides: tuple[str, ...],
    said: Said,
    uid: str | None,
    *,
    as_json: bool,
) -> int:
    from streamlcn.compose import make_parts
    from streamlcn.pipeline import Router
    from streamlcn.profile import load_profile, parse_overrides
    from streamlcn.telemetry import NullTelemetry

    loaded = load_profile(profile, parse_overrides(overrides))
    with ExitStack() as stack, Progress(console=console()) as progress:
        watch = _Results(progress)
        updates = _updates(Path(source).expanduser(), loaded, uid, said, stack)
        first = next(updates, None)  # what is wrong with the source is said before the network is loaded
        if first is None:
            raise BadInput(f"{source} holds no scan" + (f" {uid}" if uid else ""))
        parts = make_parts(loaded, telemetry=NullTelemetry(), emit=watch)
        stack.callback(parts.store.close)
        stack.callback(parts.frames.close)
        router = Router(parts)
        router.handle(*first)
        for update, arrived_s in updates:
            router.handle(update, arrived_s)
        router.close()
    if as_json:
        print_json({"results": watch.results})
    else:
        for result in watch.results:
            console().print(
                f"{result['uid']}: {result['status']} {result.get('uri') or result.get('reason')}"
            )
    return 0 if all(result["status"] != "failed" for result in watch.results) else 1


def _updates(
    source: Path, profile: Profile, uid: str | None, said: Said, stack: ExitStack
) -> Iterator[tuple[ScanUpdate, float]]:
    from streamlcn.compose import make_assembler, make_raw_reader
    from streamlcn.documents import make_backfill
    from streamlcn.service import (
        open_file_scan,
        updates_of_file,
        updates_of_journal,
        updates_of_raw_run,
    )

    if source.is_dir():
        folder = source / "journal" if (source / "journal").is_dir() else source
        limits = profile.ingest.receive.limits
        assembler = make_assembler(profile)(())
        backfill = make_backfill(assembler, profile.documents, environ=os.environ)
        stack.callback(backfill.close)
        yield from updates_of_journal(folder, assembler, limits, backfill, uid=uid)
        return
    if not source.exists():
        if not _UID.fullmatch(source.name):
            raise BadInput(
                f"{source} does not exist: give a scan file, the folder of a journal, or the uid of a raw run"
            )
        assembler, backfill = make_raw_reader(profile)
        stack.callback(backfill.close)
        for update in updates_of_raw_run(str(source), assembler, backfill):
            yield update, time.time()
        return
    file = stack.enter_context(open_file_scan(str(source), said, profile))
    for update in updates_of_file(file):
        yield update, time.time()


class _Results:
    """Shows progress and keeps what became of each scan."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, Any] = {}
        self.results: list[dict[str, Any]] = []

    def __call__(self, event: Mapping[str, Any]) -> None:
        match event.get("event"):
            case "scan":
                self._show(event)
            case "warning" if event.get("level") == "error":
                self.results.append({"uid": event["uid"], "status": "failed", "reason": event["text"]})
            case "result":
                self.results.append({key: value for key, value in event.items() if key != "event"})

    def _show(self, event: Mapping[str, Any]) -> None:
        uid = event["uid"]
        if uid not in self._tasks:
            self._tasks[uid] = self._progress.add_task(uid[:8], total=event["expected"])
        text = f"{uid[:8]} {event['phase']}"
        self._progress.update(self._tasks[uid], completed=event["received"], description=text)
