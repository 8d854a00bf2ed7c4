"""What is lost on the way is had again from files and from tiled, and the scan is the undisturbed one."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from beamlines import settings_for
from recording import Documents, recorded
from test_order import NOW, everything, law
from test_plans import updates_of

from streamlcn.documents import Assembler, Backfill, make_backfill, make_value_reader
from streamlcn.documents._raw_runs import RawRuns
from streamlcn.errors import BadInput
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
    if (run, loss) in QUICK:
        assert sum(backfill.state.documents.values()) > 0


# Files alone


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("run", [("anatomix", "stream", "step"), ("anatomix", "resource", "step")], ids=str)
def test_the_detector_s_file_alone_gives_back_frames_whose_angles_are_planned(
    run: tuple[str, str, str], seed: int
) -> None:
    documents = recorded(*run)
    generator = random.Random(seed)
    projections = [place for place, (name, _) in enumerate(documents) if name in ("stream_datum", "datum")][
        6:
    ]
    lost = set(generator.sample(projections, 3)) | {place + 1 for place in generator.sample(projections, 2)}
    updates, backfill, _ = filled(without(documents, lambda place, *_: place in lost), run[0], None)
    undisturbed(updates, documents, run[0])
    assert backfill.state.documents["file"] > 0
    assert (backfill.state.sought, backfill.state.given_up) == (0, 0)


def test_a_whole_flight_lost_is_found_in_its_file() -> None:
    documents = recorded("anatomix", "stream", "fly")
    flight = max(place for place, (name, _) in enumerate(documents) if name == "stream_datum")
    updates, *_ = filled(without(documents, lambda place, *_: place == flight), "anatomix", None)
    undisturbed(updates, documents, "anatomix")


def test_a_gap_is_filled_while_the_scan_goes_on() -> None:
    documents = recorded("anatomix", "stream", "step")
    datums = [place for place, (name, _) in enumerate(documents) if name == "stream_datum"]
    sent = without(documents, lambda place, *_: place == datums[8])[:-2]
    assembler = Assembler(settings_for("anatomix"))
    backfill = Backfill(assembler, settings_for("anatomix"), None)
    for name, document in sent:
        assembler.handle(name, document, NOW)
    uid = documents[0][1]["uid"]
    assert assembler.gaps(uid) == (3,)
    assert backfill.step(NOW + 1) == []  # it may still come
    (update,) = backfill.step(NOW + 2.5)
    assert [ref.index for ref in update.refs] == [3]  # type: ignore[union-attr]
    assert assembler.gaps(uid) == ()


def test_what_nobody_has_is_missing_and_said() -> None:
    """Inline pixels and no tiled: the scan ends after the settling time, without waiting any longer."""
    documents = recorded()
    event = [place for place, (name, _) in enumerate(documents) if name == "event"][9]
    updates, *_ = filled(without(documents, lambda place, *_: place == event), "anatomix", None, until_s=5)
    end = updates[-1]
    assert isinstance(end, ScanEnded)
    assert end.completeness.missing == (4,)
    assert end.problems == ("1 of 9 documents of stream 'primary' never came",)


def test_a_file_with_more_frames_than_were_told_places_nothing_at_its_ends() -> None:
    """Two frames more in the file than events: where the lost first and last one are is not certain."""
    documents = recorded("anatomix", "stream", "step")
    ends = [place for place, (name, _) in enumerate(documents) if name == "stream_datum"]
    sent = without(documents, lambda place, *_: place in (ends[0], ends[-1]))
    name, stop = sent[-1]
    sent[-1] = (name, {**stop, "num_events": {**stop["num_events"], "flat": 2}})
    gone = [place for place, (name, one) in enumerate(sent) if name == "stream_datum"][3]
    updates, backfill, _ = filled([one for place, one in enumerate(sent) if place != gone], "anatomix", None)
    end = updates[-1]
    assert isinstance(end, ScanEnded)
    assert end.completeness.missing == (8,)
    assert backfill.state.documents.get("file", 0) == 0


# tiled that is not there, or not allowed


def test_a_tiled_that_is_away_costs_time_and_then_frames_not_the_scan() -> None:
    documents = recorded()
    event = [place for place, (name, _) in enumerate(documents) if name == "event"][9]
    away = RawRuns("http://127.0.0.1:9", None, timeout_s=0.5, sleep=lambda _: None)
    sent = without(documents, lambda place, *_: place == event)
    updates, backfill, _ = filled(sent, "anatomix", away, until_s=50)
    assert not any(isinstance(one, ScanEnded) for one in updates)  # it is waited for, backfill.wait_s long
    assert (backfill.state.sought > 0, backfill.state.given_up) == (True, 0)
    updates, backfill, _ = filled(sent, "anatomix", away)
    assert isinstance(updates[-1], ScanEnded)
    assert updates[-1].completeness.missing == (4,)
    assert "failed: ConnectError" in (backfill.state.unreachable or "")
    assert backfill.step(NOW + 1000) == []
    assert (backfill.state.sought, backfill.state.given_up > 0) == (0, True)


def test_a_key_that_is_refused_is_told(raw_uri: tuple[str, str]) -> None:
    documents = recorded()
    stranger = RawRuns(raw_uri[0], "no key of this server", timeout_s=20.0)
    _, backfill, _ = filled(documents[1:], "anatomix", stranger, until_s=6)
    assert "401" in (backfill.state.unreachable or "")
    assert "no key of this server" not in (backfill.state.unreachable or "")
    stranger.close()


def test_a_run_that_tiled_does_not_have(raw_runs: RawRuns) -> None:
    documents = recorded("htss", "inline", "step")
    renamed = [(name, {**one, "uid": "nobody stored this"}) if name == "start" else (name, one)
               for name, one in documents[:1]]  # fmt: skip
    assert raw_runs.run("nobody stored this") is None
    assert raw_runs.run("..") is None
    assert raw_runs.run("a/b") is None
    _, backfill, _ = filled(renamed, "htss", raw_runs, until_s=30)
    assert backfill.state.unreachable is None
    assert sum(backfill.state.documents.values()) == 0


def test_the_key_comes_from_the_environment_or_a_file(tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("from the file\n")
    chosen = {"uri": "http://localhost:1/api/v1/metadata/raw", "api_key_file": str(key)}
    settings = settings_for("anatomix", backfill=chosen)
    for environ, wanted in (({}, "from the file"), ({"STREAMLCN_RAW_API_KEY": "a"}, "a")):
        backfill = make_backfill(Assembler(settings), settings, environ=environ)
        assert backfill._raw is not None
        assert backfill._raw._headers == {"Authorization": f"Apikey {wanted}"}
        assert (backfill._raw.uri, backfill._raw._node) == ("http://localhost:1", "raw")
    key.unlink()
    with pytest.raises(BadInput, match="api_key_file cannot be read"):
        make_backfill(Assembler(settings), settings, environ={})
    assert make_backfill(Assembler(settings), settings_for("anatomix"), environ={})._raw is None


@pytest.mark.slow
@pytest.mark.parametrize("run", RUNS, ids=str)
def test_many_random_losses(
    run: tuple[str, str, str], raw_runs: RawRuns, store_run: Callable[[Documents], None]
) -> None:
    documents = recorded(*run)
    store_run(documents)
    for seed in range(5):
        sent = at_random(documents, 0.2, seed) if seed % 2 else burst(documents, 6, seed)
        if not any(name in ("descriptor", "event", "stop") for name, _ in sent):
            continue  # nothing is left that a run could be known by
        updates, *_ = filled(sent, run[0], raw_runs)
        if is_uncertain(documents, sent):
            honest(updates, documents, run[0])
        else:
            undisturbed(updates, documents, run[0])


def is_uncertain(documents: Documents, sent: Documents) -> bool:
    """A flight of which nothing came, in one file with other streams that lack frames, too."""
    kept = {one["uid"] for name, one in sent if name == "stream_datum"}
    flights = [
        one
        for name, one in documents
        if name == "stream_datum" and one["indices"]["stop"] - one["indices"]["start"] > 1
    ]
    return any(
        one["uid"] not in kept and one["indices"]["start"] > 0
        and any(other["uid"] not in kept for name, other in documents
                if name == "stream_datum" and other["stream_resource"] == one["stream_resource"]
                and other is not one)
        for one in flights
    )  # fmt: skip


def honest(updates: list[ScanUpdate], documents: Documents, plan: str) -> None:
    """What is told is right, bit for bit, and what is missing is named."""
    frames, references, ends, _ = everything(updates)
    whole = everything(updates_of(documents, settings_for(plan)))
    assert set(frames) <= set(whole[0])
    for kind in (0, 1):
        pixels = {one[4] for one in whole[1][0][kind]}
        assert all(one[4] in pixels for found in references for one in found[kind])
    assert [len(end.missing) for _, end in ends] == [len(whole[0]) - len(frames)]


ODD_ANSWERS = [
    b"", b"[]", b"{}", b'{"data": null}', b'{"data": {"attributes": {"metadata": {"start": 7}}}}',
    b"<html>login</html>", b'{"data": {"attributes": null}}', b"\xff\xfe", b'{"data": [{"id": 1}]}',
]  # fmt: skip


@pytest.mark.parametrize("answer", ODD_ANSWERS)
def test_whatever_a_server_answers_the_scan_goes_on(answer: bytes) -> None:
    """A portal, a proxy's error page, another version: told as unreachable, never a crash."""

    class Odd(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    documents = recorded()
    events = [place for place, (name, _) in enumerate(documents) if name == "event"]
    with ThreadingHTTPServer(("127.0.0.1", 0), Odd) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        raw_runs = RawRuns(f"http://127.0.0.1:{server.server_port}", None, timeout_s=20.0)
        try:
            for lost in ({0}, {events[9]}):
                sent = without(documents, lambda place, *_, lost=lost: place in lost)
                updates, *_ = filled(sent, "anatomix", raw_runs, until_s=75)
                ends = [one for one in updates if isinstance(one, ScanEnded)]
                assert [one.completeness.missing for one in ends] == ([] if 0 in lost else [(4,)])
        finally:
            raw_runs.close()
            server.shutdown()
            thread.join()
