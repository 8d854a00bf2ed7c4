"""Documents lost, doubled, shuffled, mixed: the same scan, or an honest account of what is missing."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import numpy as np
import pytest
from beamlines import settings_for
from hypothesis import given, settings
from hypothesis import strategies as st
from recording import DARKS, FLATS, PROJECTIONS, Documents, recorded
from test_plans import RUNS, frames_of, updates_of

from streamlcn.documents import Assembler, make_value_reader
from streamlcn.model import (
    FileSource,
    FrameRef,
    FramesReady,
    ReferenceReady,
    ScanEnded,
    ScanStarted,
    ScanUpdate,
)

NOW = 1000.0


def key_of(ref: FrameRef) -> Any:
    source = ref.source
    where = (
        (source.path, source.dataset, source.index)
        if isinstance(source, FileSource)
        else source.pixels.tobytes()
    )
    return ref.scan_uid, ref.kind, ref.index, ref.angle_rad, where


def everything(updates: list[ScanUpdate]) -> Any:
    """What was said, without regard to when."""
    frames = sorted(map(key_of, frames_of(updates)), key=repr)
    references = [
        ([key_of(ref) for ref in one.flats], [key_of(ref) for ref in one.darks])
        for one in updates
        if isinstance(one, ReferenceReady)
    ]
    ends = [(one.outcome, one.completeness) for one in updates if isinstance(one, ScanEnded)]
    starts = [one.scan.uid for one in updates if isinstance(one, ScanStarted)]
    return frames, references, ends, starts


def law(updates: list[ScanUpdate]) -> None:
    """A scan begins once, first; ends once, last; each projection is told once."""
    by_scan: dict[str, list[ScanUpdate]] = {}
    for update in updates:
        uid = update.scan.uid if isinstance(update, ScanStarted) else update.scan_uid
        by_scan.setdefault(uid, []).append(update)
    for said in by_scan.values():
        assert [isinstance(one, ScanStarted) for one in said] == [True] + [False] * (len(said) - 1)
        assert not any(isinstance(one, ScanEnded) for one in said[:-1])
        assert sum(isinstance(one, ReferenceReady) for one in said) <= 1
        counts = Counter(ref.index for one in said if isinstance(one, FramesReady) for ref in one.refs)
        assert set(counts.values()) <= {1}


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(RUNS), st.randoms(use_true_random=False))
def test_any_order_gives_the_same_scan(run: tuple[str, str, str], generator: random.Random) -> None:
    documents = recorded(*run)
    first_run, second_run = _runs(documents)
    expected = everything(updates_of(documents, settings_for(run[0])))
    shuffled = [*first_run]
    generator.shuffle(shuffled)
    rest = [*second_run]
    generator.shuffle(rest)
    found = updates_of([*shuffled, *rest], settings_for(run[0]))
    law(found)
    assert everything(found) == expected


def _runs(documents: Documents) -> tuple[Documents, Documents]:
    """Darks and flats of another run must have ended before: within a run, any order is good."""
    end = next(number for number, (name, _) in enumerate(documents) if name == "stop") + 1
    return documents[:end], documents[end:]


@pytest.mark.parametrize("run", RUNS)
def test_any_prefix_and_a_stop_never_crashes(run: tuple[str, str, str]) -> None:
    documents = recorded(*run)
    start = next(document for name, document in documents if name == "start")
    for length in range(len(documents)):
        stop = {
            "uid": "s",
            "run_start": start["uid"],
            "exit_status": "abort",
            "time": 2.0,
            "reason": "enough",
        }
        assembler = Assembler(settings_for(run[0]), read_values=make_value_reader(timeout_s=0.0))
        updates: list[ScanUpdate] = []
        for name, document in [*documents[:length], ("stop", stop)]:
            updates += assembler.handle(name, document, NOW)
        updates += assembler.expire(NOW + 1000)
        law(updates)
        assert assembler.state.scans == ()
        if length and run[0] != "hex":
            ended = updates[-1]
            assert isinstance(ended, ScanEnded)
            assert ended.completeness.projections_received == len(frames_of(updates))


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(RUNS),
    st.lists(st.integers(0, 200), max_size=8),
    st.lists(st.integers(0, 200), max_size=4),
)
def test_lost_and_doubled_documents_are_accounted_for(
    run: tuple[str, str, str], lost: list[int], doubled: list[int]
) -> None:
    documents = recorded(*run)
    gone = {number % len(documents) for number in lost}
    twice = {number % len(documents) for number in doubled}
    sent = [
        one
        for number, one in enumerate(documents)
        if number not in gone
        for _ in range(1 + (number in twice))
    ]
    assembler = Assembler(settings_for(run[0]), read_values=make_value_reader(timeout_s=0.0))
    updates: list[ScanUpdate] = []
    for name, document in sent:
        updates += assembler.handle(name, document, NOW)
    updates += assembler.expire(NOW + 3) + assembler.expire(NOW + 1000)
    law(updates)
    assert assembler.state.rejected == {}
    for ended in (one for one in updates if isinstance(one, ScanEnded)):
        told = {ref.index for ref in frames_of(updates) if ref.scan_uid == ended.scan_uid}
        assert ended.completeness.projections_received == len(told)
        assert set(ended.completeness.missing) == set(range(PROJECTIONS)) - told


def test_a_lost_event_is_missed_and_named() -> None:
    documents = recorded()
    gone = [number for number, (name, _) in enumerate(documents) if name == "event"][DARKS + FLATS + 4]
    sent = documents[:gone] + documents[gone + 1 :]
    assembler = Assembler(settings_for("anatomix"))
    updates = [update for name, document in sent[:-1] for update in assembler.handle(name, document, NOW)]
    uid = assembler.state.scans[0]
    assert assembler.gaps(uid) == (4,)
    assert assembler.missing(uid) == (4,)
    assert assembler.handle(*sent[-1], NOW) == []  # it waits for what the stop document tells of
    (ended,) = assembler.expire(NOW + 2.5)
    assert isinstance(ended, ScanEnded)
    assert ended.outcome == "success"
    assert ended.completeness.missing == (4,)
    assert not ended.completeness.is_complete
    assert ended.problems == ("1 of 9 documents of stream 'primary' never came",)
    assert len(frames_of(updates)) == PROJECTIONS - 1


def test_a_document_that_comes_after_the_stop_completes_the_scan() -> None:
    documents = recorded("anatomix", "stream", "step")
    place = [number for number, (name, _) in enumerate(documents) if name == "stream_datum"][
        DARKS + FLATS + 4
    ]
    late = documents.pop(place)
    assembler = Assembler(settings_for("anatomix"))
    for name, document in documents:
        assembler.handle(name, document, NOW)
    frames, ended = assembler.handle(*late, NOW + 0.5)
    assert isinstance(frames, FramesReady)
    assert [ref.index for ref in frames.refs] == [4]
    assert isinstance(ended, ScanEnded)
    assert ended.completeness.is_complete
    assert assembler.handle(*late, NOW + 0.6) == []
    assert assembler.state.late == 1


def test_lost_flats_are_waited_for_and_then_done_without() -> None:
    documents = recorded()
    gone = [number for number, (name, _) in enumerate(documents) if name == "event"][DARKS + 1]
    sent = documents[:gone] + documents[gone + 1 :]
    assembler = Assembler(settings_for("anatomix"))
    updates = [update for name, document in sent[:-3] for update in assembler.handle(name, document, NOW)]
    assert not any(isinstance(one, ReferenceReady) for one in updates)
    (reference,) = assembler.expire(NOW + 11)
    assert isinstance(reference, ReferenceReady)
    assert (len(reference.flats), len(reference.darks)) == (FLATS - 1, DARKS)
    rest = [update for name, document in sent[-3:] for update in assembler.handle(name, document, NOW + 12)]
    ended = [*rest, *assembler.expire(NOW + 20)][-1]
    assert isinstance(ended, ScanEnded)
    assert ended.completeness.is_complete
    assert "only 2 of 3 flats came" in ended.problems


def test_doubled_documents_change_nothing() -> None:
    for run in RUNS:
        documents = recorded(*run)
        once = everything(updates_of(documents, settings_for(run[0])))
        frames, references, ends, starts = everything(
            updates_of([one for one in documents for _ in range(2)], settings_for(run[0]))
        )
        assert (frames, references, starts) == (once[0], once[1], once[3])
        assert [(outcome, tally.missing) for outcome, tally in ends] == [("success", ())]


def test_a_repeat_after_a_pause_counts_once_and_the_last_flat_wins() -> None:
    documents = recorded()
    events = [number for number, (name, _) in enumerate(documents) if name == "event"]
    flat, projection = documents[events[DARKS]][1], documents[events[DARKS + FLATS + 2]][1]
    again = [
        {
            **flat,
            "uid": "flat again",
            "time": flat["time"] + 1,
            "data": {"camera_image": np.full((6, 8), 7, "u2")},
        },
        {**projection, "uid": "projection again", "time": projection["time"] + 1},
    ]
    documents.insert(events[DARKS + FLATS + 2] + 1, ("event", again[1]))
    documents.insert(events[DARKS] + 1, ("event", again[0]))
    updates = updates_of(documents, settings_for("anatomix"))
    law(updates)
    (reference,) = (one for one in updates if isinstance(one, ReferenceReady))
    assert [int(ref.source.pixels[0, 0]) for ref in reference.flats] == [7, 1000, 1000]  # type: ignore[union-attr]
    ended = updates[-1]
    assert isinstance(ended, ScanEnded)
    assert ended.completeness.is_complete
    assert ended.completeness.duplicates == 1
    assert ended.problems == ("1 projections were taken again after the first had been used",)


def test_interleaved_runs_are_kept_apart() -> None:
    one, other = recorded("anatomix", "inline", "step"), recorded("anatomix", "resource", "step")
    mixed, generator = [], random.Random(3)
    queues = [list(one), list(other)]
    while any(queues):
        mixed.append(generator.choice([queue for queue in queues if queue]).pop(0))
    updates = updates_of(mixed, settings_for("anatomix"))
    law(updates)
    for documents in (one, other):
        uid = documents[0][1]["uid"]
        mine = [update for update in updates if getattr(update, "scan_uid", None) == uid
                or (isinstance(update, ScanStarted) and update.scan.uid == uid)]  # fmt: skip
        assert everything(mine) == everything(updates_of(documents, settings_for("anatomix")))


def test_without_a_stop_a_run_ends_after_a_while() -> None:
    documents = recorded()[:-4]
    assembler = Assembler(settings_for("anatomix"))
    for name, document in documents:
        assembler.handle(name, document, NOW)
    assert assembler.expire(NOW + 299) == []
    (ended,) = assembler.expire(NOW + 301)
    assert isinstance(ended, ScanEnded)
    assert (ended.outcome, ended.reason) == ("timeout", "no document for 300 s, and no stop")
    assert ended.completeness.missing == (6, 7, 8)
    assert assembler.expire(NOW + 1000) == []


def test_a_late_joiner_keeps_a_bounded_number_of_orphans_and_forgets_them() -> None:
    documents = recorded("anatomix", "stream", "step")[3:]
    assembler = Assembler(settings_for("anatomix", orphan_count=5))
    for name, document in documents:
        assert assembler.handle(name, document, NOW) == []
    assert assembler.state.orphans == 5
    assert assembler.state.orphans_dropped == len(documents) - 5
    assembler.expire(NOW + 1000)
    assert assembler.state.orphans == 0
    small = Assembler(settings_for("anatomix", orphan_mb=0.002))
    for name, document in recorded()[2:]:
        small.handle(name, document, NOW)
    assert 1 <= small.state.orphans <= 3


def test_thousands_of_runs_leave_nothing_behind() -> None:
    assembler = Assembler(settings_for("anatomix"))
    template = recorded("anatomix", "stream", "fly")
    ends = 0
    for number in range(400):
        for name, document in template:
            renamed = {key: f"{value}-{number}" if key in _IDS else value for key, value in document.items()}
            updates = assembler.handle(name, renamed, NOW)
            ends += sum(isinstance(one, ScanEnded) and one.completeness.is_complete for one in updates)
    assert ends == 400
    held = [assembler._open, assembler._owners, assembler._orphans._waiting, assembler._orphans._by_uid]
    assert [len(one) for one in held] == [0, 0, 0, 0]
    assert len(assembler._ended) == 64
    assert len(assembler._ended_ids) < 64 * 10


_IDS = {"uid", "run_start", "descriptor", "stream_resource"}
