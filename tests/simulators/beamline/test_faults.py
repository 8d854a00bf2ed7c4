"""Each fault does what it says, and nothing else."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys

import numpy as np
import pytest
from listening import SMALL, Reader, decoded

from simulators.faults import FAULT_NAMES, fault_named
from simulators.plan_shapes import SHAPES
from simulators.wire_faults import GARBAGE


def documents_of(told, listener):
    return [decoded(message, "pickle") for message in listener.messages_until_stops(told["uids"])]


def test_no_flats(scan, listener):
    reader = Reader(documents_of(scan(*SMALL, "--fault", "no-flats"), listener))
    assert {name: len(frames.pixels) for name, frames in reader.streams.items()} == {"dark": 2, "primary": 8}
    assert reader.starts[0]["flat_count"] == 0


def test_zero_flats(scan, listener):
    reader = Reader(documents_of(scan(*SMALL, "--fault", "zero-flats"), listener))
    assert np.max(reader.streams["flat"].pixels) == 0
    assert np.min([np.max(frame) for frame in reader.streams["primary"].pixels]) > 1000
    assert np.max(reader.streams["dark"].pixels) > 50


@pytest.mark.parametrize("assets", ["inline", "resource", "stream"])
@pytest.mark.parametrize(("fault", "reason"), [("abort", ""), ("fail", "lost its encoder")])
def test_half_a_scan_and_a_stop_that_says_so(scan, listener, fault, reason, assets):
    told = scan(*SMALL, "--fault", fault, "--assets", assets)
    reader = Reader(documents_of(told, listener))
    (stop,) = reader.stops
    assert stop["exit_status"] == fault
    assert reason in stop["reason"]
    assert len(reader.streams["primary"].pixels) == 4
    assert told["scans"][0]["exit_statuses"] == [fault]


def test_killed_says_no_stop(proxy, listener, tmp_path):
    command = [sys.executable, "-m", "simulators", "scan", "--publish", proxy.inward, *SMALL]
    command += ["--fault", "killed", "--assets", "stream", "--data-dir", str(tmp_path)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert finished.returncode == -signal.SIGKILL, finished.stderr
    documents = [decoded(message, "pickle") for message in listener.rest()]
    names = [name for name, _ in documents]
    assert names[0] == "start"
    assert "stop" not in names
    assert names.count("stream_datum") == 2 + 3 + 4


def test_interleaved_runs_are_both_whole(scan, listener):
    options = (
        "--size",
        "tiny",
        "--projections",
        "14",
        "--darks",
        "2",
        "--flats",
        "2",
        "--fault",
        "interleaved",
    )
    documents = documents_of(scan(*options), listener)
    uids = [document["uid"] for name, document in documents if name == "start"]
    assert len(uids) == 2
    runs_of_descriptors = {
        document["uid"]: document["run_start"] for name, document in documents if name == "descriptor"
    }
    runs = [runs_of_descriptors[document["descriptor"]] for name, document in documents if name == "event"]
    assert sum(run != before for before, run in itertools.pairwise(runs)) > 10
    for uid, projections in zip(uids, (14, 8), strict=True):
        own = [
            (name, document)
            for name, document in documents
            if uid
            in (
                document.get("uid"),
                document.get("run_start"),
                runs_of_descriptors.get(document.get("descriptor")),
            )
        ]
        reader = Reader(own)
        counts = {name: len(frames.pixels) for name, frames in reader.streams.items()}
        assert counts == {"dark": 2, "flat": 2, "primary": projections}
        assert reader.stops[0]["exit_status"] == "success"
        dark, bright = reader.streams["dark"].pixels, reader.streams["flat"].pixels
        assert np.mean(dark) < 200 < np.mean(bright)
        np.testing.assert_allclose(
            np.deg2rad(reader.streams["primary"].rotation_deg), reader.starts[0]["angles_rad"], atol=1e-9
        )


def test_wrong_shape(scan, listener):
    reader = Reader(documents_of(scan(*SMALL, "--fault", "wrong-shape"), listener))
    assert reader.starts[0]["detector_shape"] == [48, 64]
    assert reader.streams["primary"].pixels[0].shape == (46, 60)


def test_wrong_angles(scan, listener):
    reader = Reader(documents_of(scan(*SMALL, "--fault", "wrong-angles"), listener))
    assert len(reader.starts[0]["angles_rad"]) == 5
    assert len(reader.streams["primary"].pixels) == 8


def test_dropped_projections_leave_gaps_that_the_stop_tells(scan, listener):
    reader = Reader(documents_of(scan(*SMALL, "--fault", "drop:3"), listener))
    assert [event["seq_num"] for event in reader.events["primary"]] == [1, 3, 4, 6, 8]
    assert reader.stops[0]["num_events"]["primary"] == 8


def test_no_darks(scan, listener):
    reader = Reader(documents_of(scan(*SMALL, "--fault", "no-darks"), listener))
    assert {name: len(frames.pixels) for name, frames in reader.streams.items()} == {"flat": 3, "primary": 8}
    assert reader.starts[0]["dark_count"] == 0


@pytest.mark.parametrize("plan", ["anatomix", "hex"])
def test_references_of_a_run_that_nobody_knows(scan, listener, plan):
    options = ("--plan", plan, "--assets", "stream", "--fault", "unknown-references")
    reader = Reader(documents_of(scan(*SMALL, *options), listener))
    (start,) = reader.starts
    assert start["current_dark_flat_scan_uid"] != start["uid"]
    assert set(reader.streams) == {"tomo" if plan == "hex" else "primary"}


def test_flats_last(scan, listener):
    documents = documents_of(scan(*SMALL, "--fault", "flats-last"), listener)
    streams = {document["uid"]: document["name"] for name, document in documents if name == "descriptor"}
    order = [streams[document["descriptor"]] for name, document in documents if name == "event"]
    assert order == ["dark"] * 2 + ["primary"] * 8 + ["flat"] * 3


@pytest.mark.parametrize("assets", ["inline", "resource", "stream"])
@pytest.mark.parametrize(
    ("fault", "value", "dtype"),
    [
        ("zero-frames", 0, np.uint16),
        ("saturated-frames", 65535, np.uint16),
        ("nan-frames", np.nan, np.float32),
    ],
)
def test_every_tenth_projection_is_bad(scan, listener, fault, value, dtype, assets):
    reader = Reader(documents_of(scan(*SMALL, "--fault", fault, "--assets", assets), listener))
    frames = np.stack(reader.streams["primary"].pixels)
    assert frames.dtype == dtype
    is_bad = np.isnan(frames) if np.isnan(value) else frames == value
    assert is_bad.all(axis=(1, 2)).tolist() == [False] * 4 + [True] + [False] * 3
    assert np.delete(is_bad, 4, axis=0).mean() < 0.01
    assert 50 < np.mean(reader.streams["dark"].pixels) < 200
    assert np.min(reader.streams["flat"].pixels) > 1000


def test_shape_changes(scan, listener):
    told = scan(*SMALL, "--fault", "shape-changes", "--scans", "1")
    documents = documents_of(told, listener)
    half = [name for name, _ in documents].index("stop") + 1
    for part, shape in ((documents[:half], (48, 64)), (documents[half:], (46, 60))):
        reader = Reader(part)
        assert tuple(reader.starts[0]["detector_shape"]) == shape
        assert reader.streams["primary"].pixels[0].shape == shape


@pytest.mark.parametrize("assets", ["inline", "resource", "stream"])
def test_what_a_pause_interrupts_is_taken_again_under_the_same_number(scan, listener, assets):
    reader = Reader(documents_of(scan(*SMALL, "--fault", "pause", "--assets", assets), listener))
    assert reader.stops[0]["exit_status"] == "success"
    assert reader.stops[0]["num_events"]["primary"] == 8
    numbers = [event["seq_num"] for event in reader.events["primary"]]
    assert numbers == [1, 2, 3, 4, 4, 5, 6, 7, 8]
    frames = reader.streams["primary"].pixels
    assert len(frames) == 9
    assert not np.array_equal(frames[3], frames[4]), "noise differs"
    assert np.corrcoef(frames[3].ravel(), frames[4].ravel())[0, 1] > 0.98, "the angle does not"


@pytest.mark.parametrize("mode", ["step", "fly"])
def test_a_stall_delays_documents(scan, listener, mode):
    told = scan(*SMALL, "--fault", "stall:0.7", "--mode", mode)
    reader = Reader(documents_of(told, listener))
    assert told["scans"][0]["projections_s"] > 0.7
    assert len(reader.streams["primary"].pixels) == 8
    assert reader.stops[0]["exit_status"] == "success"


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("plan", sorted(SHAPES))
def test_every_fault_plays_in_every_plan_that_can_show_it(scan, plan):
    mode, assets = SHAPES[plan].modes[0], SHAPES[plan].assets[-1]
    refused = set()
    for name in FAULT_NAMES:
        fault = name.replace("N", "2").replace("P%", "20%").replace(":S", ":0.1")
        if list(fault_named(fault).refusals(plan=plan, mode=mode, assets=assets, scans=1)):
            refused.add(fault)
        elif fault != "killed":
            assert scan(*SMALL, "--plan", plan, "--fault", fault, "--assets", assets)["uids"], fault
    never = {"flats-last"} if plan != "anatomix" else set()
    assert refused == never | ({"pause", "interleaved"} if mode == "fly" else set())


def test_duplicates_are_the_same_documents_again(scan, listener):
    documents = documents_of(scan(*SMALL, "--fault", "duplicate"), listener)
    seen = [document["uid"] for _, document in documents]
    twice = [uid for uid in dict.fromkeys(seen) if seen.count(uid) == 2]
    assert len(twice) == 2
    assert len(set(seen)) == 1 + 3 + 13 + 1


def test_garbage_comes_between_documents(scan, listener):
    scan(*SMALL, "--fault", "garbage")
    messages = listener.messages(len(GARBAGE) + 1 + 3 + 13 + 1)
    assert tuple(messages[: len(GARBAGE)]) == GARBAGE
    assert [decoded(message, "pickle")[0] for message in messages[len(GARBAGE) :]][0::17] == ["start", "stop"]


@pytest.mark.parametrize("name", ["nonsense", "drop", "drop:0", "drop:x", "drop:-2", "pause:", "none"])
def test_unknown_faults_are_refused(name):
    with pytest.raises(ValueError, match=r"no-flats, .*drop:N"):
        fault_named(name)
