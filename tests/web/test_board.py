"""The page's state: latest wins, final beats provisional, always JSON."""

from __future__ import annotations

import json
import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from pixel import DOT

from streamlcn.telemetry.events import PHASES
from streamlcn.web import Board

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8) | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KINDS = st.sampled_from(
    """scan preview centre morphometry model ood result warning stage count level timed beat ingest
    read lag request store""".split()  # noqa: SIM905
)
KEYS = st.sampled_from(
    """uid phase received expected plane kind png provisional values score flag status uri text stage queue
    pixels state name connected spooled degraded flags porosity""".split()  # noqa: SIM905
)


def scan(uid="a", phase="acquiring", received=0, **more):
    return {"event": "scan", "uid": uid, "phase": phase, "received": received, "expected": 100, **more}


def numbers(porosity, *, provisional):
    return {"event": "morphometry", "provisional": provisional, "values": {"lcn": {"porosity": porosity}}}


@given(st.lists(st.dictionaries(KEYS, ANYTHING, max_size=8), max_size=5), KINDS)
def test_after_any_events_the_status_is_json(bodies, kind):
    board = Board()
    for body in bodies:
        board.apply({**body, "event": kind})
    json.loads(board.snapshot()[1], parse_constant=lambda name: 1 / 0)
    board.apply(scan())
    assert board.status()["scan"]["uid"] == "a"


def test_numpy_numbers_and_nan_reach_no_encoder():
    board = Board()
    board.apply(numbers(np.float64(0.02), provisional=True))
    values = {"a": np.float32(0.5), "b": math.nan, "n": np.int64(3), "big": 2**80}
    board.apply({"event": "morphometry", "provisional": True, "values": values})
    assert json.loads(board.snapshot()[1])["scan"]["morphometry"]["values"] == {
        "a": 0.5, "b": None, "n": 3, "big": None
    }  # fmt: skip


def test_rate_counts_projections_over_ten_seconds():
    now = [1000.0]
    board = Board(wall_s=lambda: now[0])
    for received in range(0, 100, 5):
        board.apply(scan(received=received))
        now[0] += 1.0
    assert board.status()["scan"]["rate_hz"] == 5.0


def test_a_provisional_number_never_replaces_a_final_one():
    board = Board()
    board.apply(scan(received=50))
    board.apply(numbers(0.03, provisional=True))
    board.apply(scan(received=100))
    board.apply({**numbers(0.02, provisional=False), "porosity_low": 0.01, "porosity_high": 0.03})
    board.apply(numbers(0.05, provisional=True))
    card = board.status()["scan"]
    assert card["morphometry"] == {
        "provisional": False, "values": {"lcn": {"porosity": 0.02}},
        "porosity_low": 0.01, "porosity_high": 0.03,
    }  # fmt: skip
    assert card["porosity_history"] == [[50, 0.03, True, None, None], [100, 0.02, False, 0.01, 0.03]]


def test_a_new_scan_starts_clean():
    board = Board()
    board.apply(scan(received=50, sample="bone 1"))
    board.apply({"event": "preview", "plane": "xy", "kind": "labels", "png": DOT, "provisional": True})
    board.apply({"event": "ood", "score": 0.99, "flag": True})
    board.apply(numbers(0.03, provisional=False))
    board.apply(scan(uid="b"))
    status = board.status()
    assert (status["pictures"], status["ood"], status["scan"]["morphometry"]) == ({}, None, None)
    assert board.picture("xy", "labels") is None


def test_pictures_are_latest_wins_and_their_address_changes():
    board = Board()
    seen = []
    for received, png in ((1, DOT), (2, DOT + b"2")):
        board.apply({"event": "preview", "plane": "xy", "kind": "labels", "png": png,
                     "provisional": True, "received": received})  # fmt: skip
        seen.append(board.status()["pictures"]["xy-labels"]["url"])
    assert board.picture("xy", "labels") == DOT + b"2"
    assert len(set(seen)) == 2
    board.apply({"event": "preview", "plane": "xy", "kind": "labels", "png": b"<svg>", "provisional": True})
    assert board.rejected == 1
    assert board.picture("xy", "labels") == DOT + b"2"


def test_results_have_one_row_per_scan_and_recipe_and_are_bounded():
    board = Board()
    for porosity in (0.1, 0.2):
        board.apply(
            {"event": "result", "uid": "a", "recipe_hash": "r", "status": "complete", "porosity": porosity}
        )
    assert [row["porosity"] for row in board.status()["results"]] == [0.2]
    for number in range(80):
        board.apply({"event": "result", "uid": str(number), "status": "partial"})
        board.apply({"event": "warning", "text": str(number)})
    status = board.status()
    assert [len(status["results"]), len(status["warnings"])] == [50, 50]
    assert status["results"][0]["uid"] == status["warnings"][0]["text"] == "79"


def test_a_failed_scan_is_listed():
    board = Board()
    board.apply(scan(phase="failed", received=3))
    assert [(row["uid"], row["status"]) for row in board.status()["results"]] == [("a", "failed")]


def test_histories_are_bounded_and_keep_the_last():
    board = Board()
    for received in range(1000):
        board.apply(scan(received=received))
        board.apply(numbers(received / 1e4, provisional=True))
    history = board.status()["scan"]["porosity_history"]
    assert len(history) <= 200
    assert history[-1][:3] == [999, 0.0999, True]


def test_stages_are_busy_between_beat_and_end():
    now = [10.0]
    board = Board(wall_s=lambda: now[0])
    board.apply({"event": "beat", "stage": "segment"})
    now[0] = 12.0
    board.apply({"event": "beat", "stage": "segment", "share": 0.4})  # still at it
    board.apply({"event": "beat", "stage": "segment"})
    board.apply({"event": "stage", "stage": "segment", "queue": 3})
    begun = {"stage": "segment", "queue": 3, "seconds": None, "slowest_s": None}
    begun |= {"busy_since_s": 10.0, "share": 0.4}
    assert board.status()["stages"][3] == begun
    for seconds in (0.5, 0.2):
        board.apply({"event": "timed", "stage": "segment", "seconds": seconds})
    ended = {**begun, "seconds": 0.2, "slowest_s": 0.5, "busy_since_s": None, "share": None}
    assert board.status()["stages"][3] == ended
    board.apply({"event": "beat", "stage": "segment"})
    board.forget_worker()
    assert board.status()["stages"][3] == ended
    board.apply({"event": "store", "spooled": 2})
    assert board.status()["stages"][5]["queue"] == 2


def test_what_is_not_shown_wakes_no_browser():
    board, heard = Board(), []
    board.subscribe(lambda: heard.append(1))
    for quiet in (
        {"event": "count", "what": "frames_received"},
        {"event": "level", "what": "scan_active", "value": 1.0},
        {"event": "read", "segment": 1, "offset": 9},
        {"event": "request", "outcome": "ok", "seconds": 0.1},
    ):
        board.apply(quiet)
    assert (heard, board.rejected) == ([], 0)
    for value in (1e9, 2e9):
        board.apply(
            {"event": "level", "what": "gpu_memory_used_bytes", "value": value, "labels": {"gpu": "0"}}
        )
    assert board.status()["devices"] == {"0": {"gpu_memory_used_bytes": 2e9}}
    assert len(heard) == 2


def test_every_phase_is_shown():
    board = Board()
    for phase in PHASES:
        board.apply(scan(phase=phase))
        assert board.status()["scan"]["phase"] == phase


def test_listeners_hear_until_they_leave():
    board, heard = Board(), []
    leave = board.subscribe(lambda: heard.append(board.snapshot()[0]))
    board.apply(scan())
    board.apply({"event": "unheard of"})
    leave()
    board.apply(scan(received=1))
    assert heard == [1]
