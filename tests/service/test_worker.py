"""The worker is a function of its journal: whatever happens to it, the same journal gives the same result."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamlcn.compose import make_assembler
from streamlcn.documents import Cursor, load_checkpoint, make_backfill
from streamlcn.service import updates_of_journal
from streamlcn.service._poison import MOST_CRASHES
from streamlcn.store import MemoryStore
from tests.service.bench import Bench, assert_same
from tests.service.rod import AXIS_PX, PROJECTIONS, journal, recorded, uid_of


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "state")


@pytest.mark.parametrize(
    ("assets", "mode"),
    [("inline", "step"), ("inline", "fly"), ("resource", "step"), ("stream", "step"), ("stream", "fly")],
)
def test_a_scan_becomes_a_result_whatever_way_its_pixels_come(bench: Bench, assets: str, mode: str) -> None:
    documents = recorded(assets, mode)
    journal(bench.journal, documents)
    bench.run()
    result = bench.result(documents)
    assert result.metadata["status"] == "complete"
    assert result.metadata["completeness"]["projections_used"] == PROJECTIONS
    assert result.metadata["centre"]["pixels"] == pytest.approx(AXIS_PX, abs=0.15)
    slice_ = result.arrays["reconstruction"][4]
    assert np.median(slice_[30:36, 21:27]) == pytest.approx(0.05, rel=0.03)  # the rod between its bores
    assert abs(np.median(slice_[18:21, 26:31])) < 0.01  # the larger bore: x = +5, and row 0 is +y
    assert not result.arrays["labels"][:, 0, 0].any()  # outside what the detector saw
    expected = {"reconstruction", "labels", "cells", "thickness", "preview/xy", "preview/xz", "preview/yz"}
    assert result.arrays.keys() == expected
    assert {"lacunae", "thickness_histogram"} == result.tables.keys()
    phases = [event["phase"] for event in bench.told if event["event"] == "scan"]
    in_order = ["acquiring", "reconstructing", "segmenting", "measuring", "writing", "complete"]
    assert [phase for phase, _ in itertools.groupby(phases)] == in_order


def test_every_frame_of_every_way_is_the_same_scan(bench: Bench, tmp_path: Path) -> None:
    volumes = []
    for number, assets in enumerate(("inline", "resource", "stream")):
        one = Bench(tmp_path / str(number))
        documents = recorded(assets)
        journal(one.journal, documents)
        one.run()
        volumes.append(one.result(documents).arrays["reconstruction"])
    assert np.array_equal(volumes[0], volumes[1])
    assert np.array_equal(volumes[0], volumes[2])


def test_dying_after_any_document_changes_nothing(bench: Bench, tmp_path: Path) -> None:
    documents = recorded("stream")
    undisturbed = Bench(tmp_path / "undisturbed")
    journal(undisturbed.journal, documents)
    undisturbed.run()
    journal(bench.journal, documents)
    for steps in (1, 3, 20, 41, 70, 99):
        worker = bench.worker()
        for _ in range(steps):
            worker.step()
        worker._reader.close()  # as the kernel does; nothing is saved
    bench.run()
    assert_same(bench.result(documents), undisturbed.result(documents))


def test_the_checkpoint_passes_a_scan_only_when_its_result_is_there(bench: Bench) -> None:
    documents = recorded()
    journal(bench.journal, documents[:-1])
    bench.run()
    assert bench.result(documents).metadata["status"] == "processing"
    held = load_checkpoint(bench.journal, "worker")
    assert held is not None
    assert held.cursor == Cursor(1, 8)  # the start document, behind the preamble
    journal(bench.journal, documents[-1:])
    bench.run()
    assert bench.result(documents).metadata["status"] == "complete"
    passed = load_checkpoint(bench.journal, "worker")
    assert passed is not None
    assert passed.cursor > held.cursor
    assert passed.done == ()


def test_a_result_is_made_once(bench: Bench) -> None:
    documents = recorded()
    journal(bench.journal, documents)
    bench.run()
    count = len(bench.told)
    bench.run()
    news = [event["event"] for event in bench.told[count:]]
    assert set(news) <= {"store"}


@pytest.mark.parametrize(
    ("fault", "status", "text"),
    [
        ("no-flats", "failed", "flat"),
        ("no-darks", "failed", "dark"),
        ("unknown-references", "failed", "flat"),
        ("zero-flats", "failed", "flat"),
        ("flats-last", "complete", None),
        ("zero-frames", "partial", "no light"),
        ("saturated-frames", "partial", "saturated"),
        ("repeat", "complete", None),
        ("reorder", "complete", None),
        ("fail", "partial", "encoder"),
        ("abort", "partial", "abort"),
        ("wrong-shape", "failed", "pixels"),
        ("wrong-angles", "failed", "angle"),
        ("duplicate", "complete", None),
        ("nan-frames", "partial", "nan"),
        ("drop:5", "partial", "55 of 60"),
    ],
)
def test_a_run_that_goes_wrong_ends_as_it_should(
    bench: Bench, fault: str, status: str, text: str | None
) -> None:
    documents = recorded(fault=fault)
    journal(bench.journal, [*documents, *recorded()])
    bench.run()
    result = bench.result(documents)
    assert result.metadata["status"] == status
    said = " ".join([*result.metadata["warnings"], result.metadata.get("reason", "")]).lower()
    if text is not None:
        assert text in said
    assert bench.result(recorded()).metadata["status"] == "complete"  # the next scan never notices


def test_interleaved_runs_are_kept_apart(bench: Bench, tmp_path: Path) -> None:
    alone = Bench(tmp_path / "alone")
    documents = recorded(fault="interleaved")
    first = uid_of(documents)
    uids = [document["uid"] for name, document in documents if name == "start"]
    assert len(uids) == 2
    own = [pair for pair in documents if first in (pair[1].get("uid"), pair[1].get("run_start"))]
    streams = {document["uid"] for name, document in own if name == "descriptor"}
    own = [pair for pair in documents if pair in own or pair[1].get("descriptor") in streams]
    journal(alone.journal, own)
    journal(bench.journal, documents)
    alone.run()
    bench.run()
    assert_same(bench.result(documents), alone.result(documents))


class _Bug(Exception):
    """No family of ours."""


def test_a_scan_that_crashes_the_worker_again_and_again_is_given_up(bench: Bench) -> None:
    documents = recorded()
    journal(bench.journal, documents)
    segment = type(bench.parts.segmenter).segment

    def crash(*_: Any) -> Any:
        raise _Bug("index out of range")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(bench.parts.segmenter), "segment", crash)
        for _ in range(MOST_CRASHES):
            with pytest.raises(_Bug):
                bench.run()
        bench.run()
    assert any("given up after 3 crashes: _Bug: index out of range" in text for text in bench.warnings())
    assert type(bench.parts.segmenter).segment is segment
    later = recorded("stream")
    journal(bench.journal, later)
    bench.run()
    assert bench.result(later).metadata["status"] == "complete"


@pytest.mark.parametrize("lost", ["", "stream_datum"])
def test_a_replayed_journal_gives_the_same_bits(bench: Bench, tmp_path: Path, lost: str) -> None:
    from streamlcn.pipeline import Router

    documents = recorded("stream")
    journal(bench.journal, [*documents, *recorded()])
    bench.run()
    again = Bench(tmp_path / "again")
    kept = [one for place, one in enumerate(documents) if one[0] != lost or place % 5]
    assert (len(kept) < len(documents)) is bool(lost)
    journal(tmp_path / "journal", [*kept, *recorded()])
    router = Router(again.parts)
    assembler = make_assembler(again.profile)(())
    backfill = make_backfill(assembler, again.profile.documents, environ={})
    limits, uid = again.profile.ingest.receive.limits, uid_of(documents)
    for update, arrived_s in updates_of_journal(tmp_path / "journal", assembler, limits, backfill, uid=uid):
        router.handle(update, arrived_s)
    assert_same(again.result(documents), bench.result(documents))
    assert isinstance(again.parts.store, MemoryStore)
    assert len(again.parts.store.results) == 1


KNOWN = {"reconstruction.centre.value": AXIS_PX}  # 24 columns are too few to find it


def test_binned_frames_give_larger_voxels(bench: Bench, tmp_path: Path) -> None:
    binned = Bench(tmp_path / "binned", **{"reconstruction.correction.binning": 2, **KNOWN})
    documents = recorded()
    for one in (bench, binned):
        journal(one.journal, documents)
        one.run()
    whole, small = bench.result(documents), binned.result(documents)
    assert small.arrays["reconstruction"].shape == (4, 24, 24)
    assert small.metadata["voxel_size_um"] == 2 * whole.metadata["voxel_size_um"] == 1.0
    assert small.metadata["centre"]["pixels"] == AXIS_PX
    assert small.metadata["tissue"]["volume_um3"] == pytest.approx(
        whole.metadata["tissue"]["volume_um3"], rel=0.15
    )
    assert "fbp" in small.metadata["reconstruction"]["ran"]
