"""`streamlcn replay --query`: all scans that a query finds, processed again."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from streamlcn.cli._output import console, print_json, progress_bars

if TYPE_CHECKING:
    from streamlcn.model import ScanUpdate
    from streamlcn.profile import Profile
    from streamlcn.service import Campaign, Outcome

__all__ = ["process_all"]


def process_all(query: str, profile: Profile, *, as_json: bool) -> int:
    """Process again all scans that ``query`` finds on the profile's server; return the exit status.

    Raises `BadInput` for a query that is none, and where the server cannot be searched.
    """
    from streamlcn.compose import make_parts
    from streamlcn.service import Campaign
    from streamlcn.store import find_runs, parse_query, read_api_key
    from streamlcn.telemetry import NullTelemetry

    conditions = parse_query(query)
    key = read_api_key(profile.store, os.environ)
    campaign: Campaign | None = None

    def emit(event: Mapping[str, Any]) -> None:
        if campaign is not None:
            campaign.hear(event)

    parts = make_parts(profile, telemetry=NullTelemetry(), emit=emit)
    try:
        runs = find_runs(profile.store, key, conditions, parts.recipe.hash)
        campaign = Campaign(lambda uid: _updates_of(uid, profile), parts.recipe.hash)
        outcomes: list[Outcome] = []
        with progress_bars() as bars:
            bar = bars.add_task(f"{len(runs)} scans", total=len(runs))
            for outcome in campaign.run(runs, parts):
                outcomes.append(outcome)
                bars.update(bar, advance=1, description=f"{outcome.uid[:8]} {outcome.outcome}")
    finally:
        parts.store.close()
        parts.frames.close()
    counts = Counter(outcome.outcome for outcome in outcomes)
    if as_json:
        told = [asdict(outcome) for outcome in outcomes]
        print_json({"recipe_hash": parts.recipe.hash, "counts": dict(counts), "runs": told})
    else:
        _print(outcomes, parts.recipe.hash)
        console().print(", ".join(f"{count} {what}" for what, count in sorted(counts.items())) or "no scan")
    return 1 if counts["failed"] else 0


def _updates_of(uid: str, profile: Profile) -> Iterator[ScanUpdate]:
    from streamlcn.compose import make_raw_reader
    from streamlcn.service import updates_of_raw_run

    assembler, backfill = make_raw_reader(profile)
    try:
        yield from updates_of_raw_run(uid, assembler, backfill)
    finally:
        backfill.close()


def _print(outcomes: list[Outcome], recipe_hash: str) -> None:
    table = Table(title=f"recipe {recipe_hash}", title_justify="left")
    for name in ("scan", "", "porosity", "new", "lacunae", "new", "status", "new"):
        table.add_column(name, justify="left" if name in ("scan", "", "status") else "right")
    for each in outcomes:
        old, new = each.old, each.new
        table.add_row(
            each.uid[:8],
            each.outcome,
            _share(old.porosity),
            _share(new.porosity if new else None),
            _count(old.lacunae),
            _count(new.lacunae if new else None),
            old.status or "",
            (new.status if new else each.reason) or "",
        )
    Console().print(table)


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.3%}"


def _count(value: int | None) -> str:
    return "–" if value is None else str(value)
