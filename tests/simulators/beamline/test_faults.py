"""Each fault does what it says, and nothing else."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys

import numpy as np
import pytest
from listening import SMALL, Reader, decoded

from simulators.faults import fault_named
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


@pytest.mark.parametrize(("assets", "mode"), [("inline", "step"), ("resource", "step"), ("stream", "step")])
def test_dropped_projections_leave_gaps(scan, listener, assets, mode):
    told = scan(*SMALL, "--fault", "drop:3", "--assets", assets, "--mode", mode)
    reader = Reader(documents_of(told, listener))
    assert len(reader.streams["primary"].pixels) == 5
    assert len(reader.streams["dark"].pixels) == 2
    assert len(reader.streams["flat"].pixels) == 3
    assert reader.stops[0]["num_events"]["primary"] == 8


def test_dropped_stream_datums_in_flight(scan, listener):
    told = scan(*SMALL, "--fault", "drop:1", "--assets", "stream", "--mode", "fly")
    reader = Reader(documents_of(told, listener))
    assert len(reader.streams["primary"].pixels) < 8
    assert reader.stops[0]["num_events"]["primary"] == 8


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


@pytest.mark.parametrize("name", ["nonsense", "drop", "drop:0", "drop:x", "drop:-2"])
def test_unknown_faults_are_refused(name):
    with pytest.raises(ValueError, match=r"no-flats, .*drop:N"):
        fault_named(name)
