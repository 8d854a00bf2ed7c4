"""Runs that cannot become a scan say why; documents that make no sense are counted and skipped."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from beamlines import settings_for
from recording import PROJECTIONS, Documents, recorded
from test_order import NOW, law
from test_plans import frames_of, updates_of

from streamlcn.documents import Assembler
from streamlcn.model import FramesReady, ReferenceReady, ScanEnded, ScanStarted, ScanUpdate


def ended(updates: list[ScanUpdate]) -> ScanEnded:
    law(updates)
    last = updates[-1]
    assert isinstance(last, ScanEnded)
    return last


def changed(documents: Documents, name: str, change: dict[str, Any], *, nth: int = 0) -> Documents:
    """The same documents, with keys changed in the nth one of a name."""
    place = [number for number, (found, _) in enumerate(documents) if found == name][nth]
    documents[place] = (name, {**documents[place][1], **change})
    return documents


def test_a_run_without_flats_fails_and_says_where_they_were_looked_for() -> None:
    end = ended(updates_of(recorded(fault="no-flats"), settings_for("anatomix")))
    assert end.outcome == "fail"
    assert "has no flats: none came in streams flat" in end.reason
    assert any("has no flats" in problem for problem in end.problems)
    assert end.completeness.projections_received == PROJECTIONS


def test_frames_of_another_shape_than_told_fail_the_scan() -> None:
    for assets in ("inline", "resource", "stream"):
        updates = updates_of(recorded(assets=assets, fault="wrong-shape"), settings_for("anatomix"))
        end = ended(updates)
        assert end.outcome == "fail"
        assert (
            "stream 'dark' are (4, 4) pixels (rows, columns), but the start document says (6, 8)"
            in end.reason
        )
        assert frames_of(updates) == []


def test_frames_that_change_their_shape_fail_the_scan() -> None:
    documents = recorded("htss", "stream", "step")
    shape = {"imaging_camera": {"shape": [1, 6, 9], "external": "STREAM:"}, "theta": {"shape": []}}
    end = ended(
        updates_of(changed(documents, "descriptor", {"data_keys": shape}, nth=2), settings_for("htss"))
    )
    assert "(6, 9) pixels (rows, columns), but frames before were (6, 8)" in end.reason


def test_too_short_a_list_of_angles_fails_the_scan_unless_the_events_count_more() -> None:
    documents = recorded(fault="wrong-angles")
    end = ended(updates_of(documents, settings_for("anatomix")))
    assert "start.angles_rad has 6 angles but 9 projections are planned" in end.reason
    measured = settings_for("anatomix", angles=[{"kind": "event", "key": "rotation"}])
    assert ended(updates_of(documents, measured)).completeness.is_complete


@pytest.mark.parametrize(("fault", "said"), [("abort", ""), ("fail", "lost its encoder")])
def test_a_run_that_ends_early_tells_what_it_has(fault: str, said: str) -> None:
    updates = updates_of(recorded(fault=fault), settings_for("anatomix"))
    end = ended(updates)
    assert end.outcome == fault
    assert said in end.reason
    assert end.completeness.projections_expected == PROJECTIONS
    assert end.completeness.projections_received == len(frames_of(updates)) == 5
    assert end.completeness.missing == (5, 6, 7, 8)
    assert any(isinstance(one, ReferenceReady) for one in updates)


def test_no_pixel_size_fails_the_scan() -> None:
    documents = recorded()
    del documents[0][1]["pixel_size_um"]
    updates = updates_of(documents, settings_for("anatomix"))
    assert math.isnan(updates[0].scan.voxel_size_um)  # type: ignore[union-attr]
    assert "no document tells the pixel size (looked at start.pixel_size_um)" in ended(updates).reason
    assumed = settings_for(
        "anatomix", values={"pixel_size_um": {"paths": ["start.pixel_size_um"], "fallback": 0.2}}
    )
    updates = updates_of(documents, assumed)
    (scan,) = (one.scan for one in updates if isinstance(one, ScanStarted))
    assert scan.voxel_size_um == 0.2
    assert scan.assumptions[0].startswith("pixel_size_um 0.2 is the profile's")


@pytest.mark.parametrize("size", [0.0, -1.0, float("nan"), "0.1", None, [0.1, 0.2], True])
def test_a_pixel_size_that_is_none_is_not_used(size: Any) -> None:
    documents = recorded()
    documents[0][1]["pixel_size_um"] = size
    end = ended(updates_of(documents, settings_for("anatomix")))
    assert (end.outcome == "fail") == (size is not True)


def test_line_integrals_need_no_reference() -> None:
    documents = recorded(fault="no-flats")
    documents[0][1]["frames_are_line_integrals"] = True
    updates = updates_of(documents, settings_for("anatomix"))
    (reference,) = (one for one in updates if isinstance(one, ReferenceReady))
    assert reference.flats == ()
    assert ended(updates).outcome == "success"
    assert ended(updates).problems == ()


def test_flats_last_make_a_late_reference() -> None:
    documents = recorded("fxi", "inline", "fly")
    updates = updates_of(documents, settings_for("fxi"))
    kinds = [type(one) for one in updates]
    assert kinds.index(FramesReady) < kinds.index(ReferenceReady)
    del documents[0][1]["num_bkg_images"], documents[0][1]["num_dark_images"]
    updates = updates_of(documents, settings_for("fxi"))
    (reference,) = (one for one in updates if isinstance(one, ReferenceReady))
    assert (len(reference.flats), len(reference.darks)) == (3, 2)


def test_without_counts_flats_before_are_those_before_the_first_projection() -> None:
    documents = recorded()
    del documents[0][1]["flat_count"], documents[0][1]["dark_count"]
    updates = updates_of(documents, settings_for("anatomix"))
    kinds = [type(one) for one in updates]
    assert kinds.index(ReferenceReady) < kinds.index(FramesReady)
    assert ended(updates).problems == ()


def test_files_outside_the_allowed_folders_fail_the_scan(tmp_path: Path) -> None:
    for assets in ("resource", "stream"):
        end = ended(updates_of(recorded(assets=assets), settings_for("anatomix", str(tmp_path))))
        assert end.outcome == "fail"
        assert "is not in an allowed folder" in end.reason
        assert "documents.files.allowed_roots" in end.reason


@pytest.mark.parametrize(
    ("uri", "inside"),
    [
        ("file://localhost{root}/scan.h5", True),
        ("file://{root}/a/../scan.h5", True),
        ("file://{root}/with%20space.h5", True),
        ("file://{root}/../secret.h5", False),
        ("file://{root}/%2e%2e/secret.h5", False),
        ("file://{root}2/scan.h5", False),
        ("file://{root}/link/secret.h5", False),
        ("file:///detector/scan.h5", True),
        ("file:///detector2/scan.h5", False),
        ("file:relative.h5", False),
        ("http://host{root}/scan.h5", False),
        ("file://[{root}/scan.h5", False),
        ("file://{root}/a%00b.h5", False),
    ],
)
def test_paths_are_judged_by_where_they_really_lead(tmp_path: Path, uri: str, inside: bool) -> None:
    root = tmp_path / "data"
    root.mkdir()
    (root / "link").symlink_to(tmp_path)
    documents = changed(recorded(assets="stream"), "stream_resource", {"uri": uri.format(root=root)})
    files = {"allowed_roots": [str(root)], "root_map": {"/detector": str(root)}}
    updates = updates_of(documents, settings_for("anatomix", files=files))
    assert (ended(updates).outcome == "success") == inside
    for ref in frames_of(updates):
        assert ref.source.path.is_relative_to(root)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("stream_resource", {"mimetype": "image/tiff"}, "'image/tiff'; only HDF5"),
        ("descriptor", {"data_keys": {"x": {"shape": []}}}, "no pixels under camera_image, camera; it has x"),
    ],
)
def test_pixels_that_cannot_be_read_fail_the_scan(name: str, change: dict[str, Any], said: str) -> None:
    end = ended(updates_of(changed(recorded(assets="stream"), name, change), settings_for("anatomix")))
    assert end.outcome == "fail"
    assert said in end.reason


def test_a_resource_of_unknown_spec_fails_the_scan_and_can_be_taught() -> None:
    documents = changed(recorded(assets="resource"), "resource", {"spec": "AD_HDF5_SWMR"})
    assert "spec 'AD_HDF5_SWMR'" in ended(updates_of(documents, settings_for("anatomix"))).reason
    files = {"allowed_roots": ["/"], "resource_datasets": {"AD_HDF5_SWMR": "/entry/data/data"}}
    assert ended(updates_of(documents, settings_for("anatomix", files=files))).completeness.is_complete


@pytest.mark.parametrize(
    "data",
    [
        {"camera_image": np.zeros((2, 2, 2, 2))},
        {"camera_image": np.zeros((6, 8), "c8")},
        {"camera_image": [[1, 2], [3]]},
        {"camera_image": [["a"]]},
        {"camera_image": None},
        {},
        {"camera_image": 7},
    ],
)
def test_an_event_without_usable_pixels_is_skipped_and_missed(data: dict[str, Any]) -> None:
    documents = changed(recorded(), "event", {"data": {**data, "rotation": 0.0}}, nth=8)
    assembler = Assembler(settings_for("anatomix"))
    updates = [one for name, document in documents for one in assembler.handle(name, document, NOW)]
    end = ended([*updates, *assembler.expire(NOW + 3)])
    assert assembler.state.rejected == {"invalid": 1}
    assert end.completeness.missing == (3,)
    assert end.outcome == "success"


def test_an_angle_that_is_no_number_costs_one_projection() -> None:
    image = recorded()[12][1]["data"]["camera_image"]
    documents = changed(recorded(), "event", {"data": {"camera_image": image, "rotation": math.nan}}, nth=8)
    settings = settings_for("anatomix", angles=[{"kind": "event"}])
    assembler = Assembler(settings)
    updates = [one for name, document in documents for one in assembler.handle(name, document, NOW)]
    end = ended([*updates, *assembler.expire(NOW + 3)])
    assert end.completeness.missing == (3,)
    assert "1 projections came without an angle and cannot be used" in end.problems


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("event", {"seq_num": 2**30}),
        (
            "stream_datum",
            {"seq_nums": {"start": 1, "stop": 2**30}, "indices": {"start": 0, "stop": 2**30 - 1}},
        ),
        ("stream_datum", {"seq_nums": {"start": 1, "stop": 3}}),
        ("stream_datum", {"seq_nums": {"start": 0, "stop": 1}}),
    ],
)
def test_numbers_beyond_reason_are_refused(name: str, change: dict[str, Any]) -> None:
    assets = "inline" if name == "event" else "stream"
    documents = changed(recorded(assets=assets), name, change, nth=7)
    assembler = Assembler(settings_for("anatomix"))
    updates = [one for found, document in documents for one in assembler.handle(found, document, NOW)]
    updates += assembler.expire(NOW + 3)
    assert assembler.state.rejected == {"invalid": 1}
    assert ended(updates).completeness.missing == (2,)


@pytest.mark.parametrize("count", [0, -3, 2**40, "many", math.inf])
def test_a_planned_count_beyond_reason_is_not_believed(count: Any) -> None:
    documents = recorded()
    documents[0][1]["projection_count"] = count
    end = ended(updates_of(documents, settings_for("anatomix")))
    assert end.completeness.projections_expected == PROJECTIONS  # the list of angles tells it, too
    assert end.completeness.is_complete


def test_documents_that_are_none_are_counted() -> None:
    assembler = Assembler(settings_for("anatomix"))
    for name, document in [("start", {}), ("nonsense", {}), ("bulk_events", {}), ("event", {"uid": 1})]:
        assert assembler.handle(name, document, NOW) == []
    assert assembler.state.rejected == {"invalid": 4}


def test_ids_of_one_run_do_not_reach_into_another() -> None:
    """A sender may use any id again; it must not lead a document into a run that does not know it."""
    one, other = recorded(assets="stream"), recorded("htss", "stream", "step")
    descriptor = next(document for name, document in one if name == "descriptor")
    resource = next(document for name, document in other if name == "stream_resource")
    start = next(document for name, document in other if name == "start")
    datum = {
        "uid": "x", "descriptor": descriptor["uid"], "stream_resource": resource["uid"],
        "seq_nums": {"start": 1, "stop": 2}, "indices": {"start": 0, "stop": 1},
    }  # fmt: skip
    confused = [
        ("stream_datum", datum),
        (
            "event",
            {"uid": "x", "descriptor": start["uid"], "seq_num": 1, "time": 0, "data": {}, "timestamps": {}},
        ),
        (
            "event",
            {
                "uid": "x",
                "descriptor": resource["uid"],
                "seq_num": 1,
                "time": 0,
                "data": {},
                "timestamps": {},
            },
        ),
        ("datum", {"datum_id": "x", "resource": descriptor["uid"], "datum_kwargs": {}}),
        ("descriptor", {**descriptor, "run_start": start["uid"]}),
    ]
    assembler = Assembler(settings_for("anatomix"))
    for name, document in [*one[:6], *other[:6], *confused]:
        assembler.handle(name, document, NOW)
    assert assembler.state.rejected == {"invalid": 1}
    assert assembler.state.orphans == 3


def test_where_a_restart_must_begin() -> None:
    assembler = Assembler(settings_for("anatomix"))
    first, second = recorded(), recorded("anatomix", "resource", "step")
    position = 100
    assert assembler.held_since is None
    for name, document in first[:-1]:
        assembler.handle(name, document, NOW, position)
        position += 1
        assert assembler.held_since == 100
    assembler.handle(*second[0], NOW, position)
    assembler.handle(*first[-1], NOW, position + 1)
    assert assembler.held_since == position


def test_darks_and_flats_for_later_runs_are_held() -> None:
    assembler = Assembler(
        settings_for("hex"), read_values=lambda values: [0.0] * (values.stop - values.start)
    )
    for position, (name, document) in enumerate(recorded("hex", "stream", "fly")):
        assembler.handle(name, document, NOW, position)
    assert assembler.held_since == 0
    assert assembler.state.scans == ()


def test_what_is_delivered_is_not_said_again() -> None:
    documents = recorded("hex", "stream", "fly")
    scan = [document["uid"] for name, document in documents if name == "start"][1]
    assert updates_of(documents, settings_for("hex"), done=[scan]) == []
    assert updates_of(recorded(), settings_for("anatomix"), done=[recorded()[0][1]["uid"]]) == []
    assert updates_of(recorded(), settings_for("anatomix"), done=["another"]) != []
