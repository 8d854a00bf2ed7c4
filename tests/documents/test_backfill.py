"""What is lost on the way is had again from files and from tiled, and the scan is the undisturbed one."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from beamlines import settings_for
from recording import Documents, recorded
from test_order import NOW, everything, law
from test_plans import updates_of

from streamlcn.documents import Assembler, Backfill, make_value_reader
from streamlcn.documents._raw_runs import RawRuns
from streamlcn.model import ScanEnded, ScanStarted, ScanUpdate

RUNS = [
    ("anatomix", "inline", "step"),
    ("anatomix", "resource", "step"),
    ("anatomix", "stream", "step"),
    ("anatomix", "stream", "fly"),
    ("htss", "inline", "step"),
    ("htss", "resource", "step"),
    ("htss", "stream", "step"),
    ("fxi", "inline", "fly"),
    ("hex", "stream", "fly"),
]
Named = tuple[str, dict[str, Any]]


def filled(
    sent: Documents, plan: str, raw_runs: RawRuns | None, until_s: float = 400.0
) -> tuple[list[ScanUpdate], Backfill, Assembler]:
    """All updates of documents that came at once, and of the time after them."""
    settings = settings_for(plan)
    assembler = Assembler(settings, read_values=make_value_reader(timeout_s=0.0))
    backfill = Backfill(assembler, settings, raw_runs)
    updates = [update for name, document in sent for update in assembler.handle(name, document, NOW)]
    for tick in range(round(until_s)):
        updates += backfill.step(NOW + tick) + assembler.expire(NOW + tick)
        if not assembler.open_runs() and not assembler.waiting():
            break
    law(updates)
    return updates, backfill, assembler


def scans(updates: list[ScanUpdate]) -> list[Any]:
    return [one.scan for one in updates if isinstance(one, ScanStarted)]


def undisturbed(updates: list[ScanUpdate], documents: Documents, plan: str) -> None:
    """The scan, its frames (bit for bit), its reference and its end are those of the whole documents."""
    whole = updates_of(documents, settings_for(plan))
    assert everything(updates) == everything(whole)
    assert scans(updates) == scans(whole)
    assert [one.problems for one in updates if isinstance(one, ScanEnded)] == [()]


def without(documents: Documents, is_lost: Callable[[int, str, dict[str, Any]], bool]) -> Documents:
    return [(name, one) for place, (name, one) in enumerate(documents) if not is_lost(place, name, one)]


def at_random(documents: Documents, share: float, seed: int) -> Documents:
    generator = random.Random(seed)
    lost = {place for place in range(len(documents)) if generator.random() < share}
    lost = lost or {generator.randrange(len(documents))}
    return without(documents, lambda place, name, one: place in lost)


def burst(documents: Documents, count: int, seed: int) -> Documents:
    first = random.Random(seed).randrange(len(documents) - count)
    return without(documents, lambda place, name, one: first <= place < first + count)


LOSSES: dict[str, Callable[[Documents], Documents]] = {
    "the start": lambda documents: without(documents, lambda place, name, one: name == "start"),
    "every descriptor": lambda documents: without(documents, lambda place, name, one: name == "descriptor"),
    "the stop": lambda documents: without(documents, lambda place, name, one: name == "stop"),
    "every file": lambda documents: without(documents, lambda place, name, one: "resource" in name),
    "every event": lambda documents: without(documents, lambda place, name, one: name == "event"),
    "one of a hundred": lambda documents: at_random(documents, 0.01, 3),
    "a fifth": lambda documents: at_random(documents, 0.2, 1),
    "a burst": lambda documents: burst(documents, 8, 4),
    "the first half": lambda documents: documents[len(documents) // 2 :],
}


@pytest.fixture
def raw_runs(raw_uri: tuple[str, str]) -> Iterator[RawRuns]:
    runs = RawRuns(*raw_uri, timeout_s=20.0)
    yield runs
    runs.close()


CASES = [
    (run, loss)
    for run in RUNS
    for loss in LOSSES
    if not (loss == "every file" and run[1] == "inline") and not (loss == "every event" and run[2] == "fly")
]
QUICK = {(("anatomix", "inline", "step"), "a fifth"), (("htss", "stream", "step"), "the first half")}


@pytest.mark.parametrize(
    ("run", "loss"),
    [case if case in QUICK else pytest.param(*case, marks=pytest.mark.slow) for case in CASES],
    ids=str,
)
def test_a_scan_with_losses_becomes_the_undisturbed_one(
    run: tuple[str, str, str], loss: str, raw_runs: RawRuns, store_run: Callable[[Documents], None]
) -> None:
    documents = recorded(*run)
    store_run(documents)
    sent = LOSSES[loss](documents)
    assert len(sent) < len(documents)
    updates, backfill, _ = filled(sent, run[0], raw_runs)
    undisturbed(updates, documents, run[0])
    assert sum(backfill.state.documents.values()) > 0
