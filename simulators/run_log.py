"""What became of the runs of a session, and how far the present one is."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import bluesky.plan_stubs as bps

from simulators.plans import Plan, Stopwatch


@dataclass
class RunLog:
    """A RunEngine callback that remembers each run's uid and how it ended."""

    exit_statuses: dict[str, str | None] = field(default_factory=dict)

    def __call__(self, name: str, document: Mapping[str, Any]) -> None:
        """Note starts and stops."""
        if name == "start":
            self.exit_statuses[document["uid"]] = None
        elif name == "stop":
            self.exit_statuses[document["run_start"]] = document["exit_status"]

    @property
    def uids(self) -> list[str]:
        """Uids of all runs, as they were opened."""
        return list(self.exit_statuses)


def scan_record(log: RunLog, earlier: int, watch: Stopwatch) -> dict[str, Any]:
    """Return what is told of one scan; its runs are those after the first ``earlier`` ones."""
    uids = log.uids[earlier:]
    return {
        "uids": uids,
        "exit_statuses": [log.exit_statuses[uid] for uid in uids],
        "darks_s": round(watch.seconds.get("dark", 0.0), 3),
        "flats_s": round(watch.seconds.get("flat", 0.0), 3),
        "projections_s": round(watch.seconds.get("projection", 0.0), 3),
        "last_projection_at": watch.last_projection_at,
    }


class Progress:
    """Says on stderr how many projections are taken, about twenty times a scan."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._said = -1

    def after_frame(self, taken: int, total: int) -> Plan:
        """Say it when another twentieth is done."""
        share = 20 * taken // total
        if share != self._said:
            self._said = share
            print(f"{self._title}: projection {taken} of {total}", file=sys.stderr, flush=True)
        yield from bps.null()
