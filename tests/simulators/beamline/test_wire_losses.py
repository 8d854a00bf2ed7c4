"""Documents that are lost, late, disordered or misdirected on the wire: each fault does just what it says."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from listening import SMALL, Reader, decoded

from simulators.faults import fault_named
from simulators.wire_faults import Reorder
from simulators.wire_losses import DropShare, burst, spread

PLANS = [
    ("anatomix", "inline", "step"),
    ("anatomix", "resource", "fly"),
    ("anatomix", "stream", "fly"),
    ("fxi", "inline", "fly"),
    ("hex", "stream", "fly"),
]


def documents_of(scan, listener, *options, count=None):
    """Run a scan; returns its documents, those after its stop too, or the first ``count`` of them."""
    told = scan(*SMALL, *options)
    messages = listener.messages(count) if count else listener.messages_until_stops(told["uids"])
    return [decoded(message, "pickle") for message in messages]


def names(documents):
    return Counter(name for name, _ in documents)


@pytest.mark.parametrize(("plan", "assets", "mode"), PLANS)
def test_dropped_projections_are_missing_and_nothing_else(scan, listener, plan, assets, mode):
    options = ("--plan", plan, "--assets", assets, "--mode", mode)
    told = scan(*SMALL, *options, "--fault", "drop:3")
    reader = Reader([decoded(m, "pickle") for m in listener.messages_until_stops(told["uids"])])
    projections = reader.streams["tomo" if plan == "hex" else "primary"].pixels
    assert len(projections) == 5 if mode == "step" else len(projections) < 8
    assert len(reader.streams["dark"].pixels) == 2
    assert len(reader.streams["flat"].pixels) == 3
    if plan == "fxi":
        assert len(reader.events["zps_pi_r_monitor"]) >= 8


def test_a_burst_is_a_tenth_in_the_middle(scan, listener):
    told = scan("--size", "tiny", "--seed", "3", "--projections", "20", "--fault", "drop-burst")
    documents = [decoded(m, "pickle") for m in listener.messages_until_stops(told["uids"])]
    numbers = [event["seq_num"] for event in Reader(documents).events["primary"]]
    assert numbers == [n for n in range(1, 21) if n not in (11, 12)]


@pytest.mark.parametrize(
    ("fault", "lost"), [("drop-start", "start"), ("drop-descriptors", "descriptor"), ("drop-stop", "stop")]
)
def test_every_document_of_a_name_is_lost(scan, listener, fault, lost):
    everything = {"start": 1, "descriptor": 3, "event": 13, "stop": 1}
    left = {name: count for name, count in everything.items() if name != lost}
    scan(*SMALL, "--fault", fault)
    assert names(decoded(m, "pickle") for m in listener.messages(sum(left.values()))) == left
    assert listener.rest(50) == []


def test_a_share_of_the_documents_about_frames_is_lost(scan, listener):
    told = scan("--size", "tiny", "--seed", "3", "--projections", "60", "--fault", "drop:20%")
    counts = names([decoded(m, "pickle") for m in listener.messages_until_stops(told["uids"])])
    assert {name: count for name, count in counts.items() if name != "event"} == {
        "start": 1,
        "descriptor": 3,
        "stop": 1,
    }
    assert 60 < counts["event"] < 95, "of 100"


def test_a_share_is_what_was_asked_for_and_always_the_same():
    kept = []
    for _ in range(2):
        wire = DropShare(lambda name, document: kept[-1].append(document["number"]), 0.01)
        kept.append([])
        for number in range(20_000):
            wire("stream_datum", {"number": number})
            wire("stop", {"number": -1})
    assert kept[0] == kept[1]
    assert kept[0].count(-1) == 20_000
    assert 150 < 40_000 - len(kept[0]) < 250


@pytest.mark.parametrize("total", [1, 2, 9, 10, 720])
def test_numbers_to_lose_exist(total):
    for count in {1, (total + 1) // 2, total}:
        assert len(spread(count, total)) == count
        assert spread(count, total) <= set(range(1, total + 1))
    assert set(burst(total)) <= set(range(1, total + 2))
    assert len(burst(total)) == max(1, total // 10)


@pytest.mark.parametrize(("plan", "assets", "mode"), PLANS[:3])
def test_who_joins_late_misses_the_first_half(scan, listener, plan, assets, mode):
    told = scan(*SMALL, "--assets", assets, "--mode", mode, "--fault", "join-late", "--period", "0.1")
    documents = [decoded(m, "pickle") for m in listener.messages_until_stops(told["uids"])]
    counts = names(documents)
    assert not {"start", "descriptor"} & set(counts)
    first = documents[1][1] if documents[0][0] in ("resource", "datum") else documents[0][1]
    numbers = first["seq_nums"] if assets == "stream" else {"stop": np.max(first["seq_num"]) + 1}
    assert numbers["stop"] > 5
    assert counts["stop"] == 1


def test_reordered_documents_are_all_there(scan, listener):
    plain = documents_of(scan, listener)
    mixed = documents_of(scan, listener, "--fault", "reorder", count=len(plain))
    assert listener.rest(50) == []
    assert names(mixed) == names(plain)
    order = [name for name, _ in mixed]
    assert order.index("event") < order.index("start"), "a start that comes too late"
    numbers = [(doc["descriptor"], doc["seq_num"]) for name, doc in mixed if name == "event"]
    assert numbers != [(doc["descriptor"], doc["seq_num"]) for name, doc in plain if name == "event"]


def test_disorder_reaches_eight_documents_and_ends_with_the_run():
    arrived = []
    wire = Reorder(lambda name, document: arrived.append(document["number"]))
    for number in range(37):
        wire("stop" if number == 28 else "event", {"number": number})
    assert len(arrived) == 29 + 8, "what comes after the last stop waits for eight"
    for first, last in ((0, 8), (8, 16), (16, 24), (24, 29), (29, 37)):
        assert sorted(arrived[first:last]) == list(range(first, last))
    assert arrived[:24] != list(range(24))


def test_a_repeated_run_comes_twice_after_a_pause(scan, listener):
    scan(*SMALL, "--fault", "repeat")
    documents = [decoded(m, "pickle")[1] for m in listener.messages(2 * (1 + 3 + 13 + 1))]
    half = len(documents) // 2
    assert [one["uid"] for one in documents[:half]] == [one["uid"] for one in documents[half:]]
    assert listener.rest(50) == []


def test_a_late_stop_comes_within_the_next_run(scan, listener):
    told = scan(*SMALL, "--fault", "late-stop")
    first, second = told["uids"]
    documents = [decoded(m, "pickle") for m in listener.messages_until_stops(told["uids"])]
    order = [document.get("run_start", document["uid"]) for name, document in documents if name[:2] == "st"]
    assert order == [first, second, first, second]
    assert names(documents) == {"start": 2, "descriptor": 6, "event": 26, "stop": 2}
    stop = next(place for place, (name, _) in enumerate(documents) if name == "stop")
    assert documents[stop - 1][0] == "event"


@pytest.mark.parametrize("assets", ["resource", "stream"])
@pytest.mark.parametrize(
    ("fault", "error"), [("missing-files", FileNotFoundError), ("foreign-files", OSError)]
)
def test_documents_point_at_another_file(scan, listener, tmp_path, assets, fault, error):
    told = scan(*SMALL, "--assets", assets, "--fault", fault)
    documents = [decoded(m, "pickle") for m in listener.messages_until_stops(told["uids"])]
    (path,) = {
        f"/{document['resource_path']}" if name == "resource" else document["uri"]
        for name, document in documents
        if name in ("resource", "stream_resource")
    }
    assert path.endswith("/etc/hostname" if fault == "foreign-files" else ".h5.gone")
    with pytest.raises(error):
        Reader(documents)
    assert [file.suffix for file in tmp_path.iterdir()] == [".h5"], "the detector's own is where it was"


@pytest.mark.parametrize("name", ["drop:0%", "drop:101%", "drop:1.5", "drop:", "stall", "stall:0", "stall:x"])
def test_numbers_that_make_no_sense(name):
    with pytest.raises(ValueError, match="N from 1"):
        fault_named(name)
