"""The plans of four beamlines, in every way that pixels come, become the same scan."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from beamlines import settings_for
from recording import (
    ANGLES,
    COLUMNS,
    DARKS,
    ENERGY_KEV,
    FLATS,
    PHASE_RAD,
    PIXEL_UM,
    PROJECTIONS,
    ROWS,
    Documents,
    level_of,
    recorded,
)

from simulators.plan_shapes import SHAPES
from streamlcn.documents import Assembler, make_value_reader
from streamlcn.documents.settings import DocumentSettings
from streamlcn.frames import FrameSettings, make_frame_reader
from streamlcn.model import (
    FrameKind,
    FrameRef,
    FramesReady,
    ReferenceReady,
    ScanEnded,
    ScanStarted,
    ScanUpdate,
)

RUNS = [
    (shape.name, assets, mode) for shape in SHAPES.values() for assets in shape.assets for mode in shape.modes
]


def updates_of(documents: Documents, settings: DocumentSettings, **options: Any) -> list[ScanUpdate]:
    """All updates that follow from documents a millisecond apart."""
    options.setdefault("read_values", make_value_reader(timeout_s=0.0))
    assembler = Assembler(settings, **options)
    updates: list[ScanUpdate] = []
    for number, (name, document) in enumerate(documents):
        updates += assembler.handle(name, document, number / 1000)
    return updates


def frames_of(updates: list[ScanUpdate]) -> list[FrameRef]:
    return [ref for update in updates if isinstance(update, FramesReady) for ref in update.refs]


def level(ref: FrameRef) -> int:
    reader = make_frame_reader(FrameSettings(timeout_s=0.0))
    try:
        pixels = reader.read(ref)
    finally:
        reader.close()
    assert pixels.shape == (ROWS, COLUMNS)
    assert pixels.min() == pixels.max()
    return int(pixels[0, 0])


@pytest.mark.parametrize(("plan", "assets", "mode"), RUNS)
def test_a_scan_of_real_devices_is_understood(plan: str, assets: str, mode: str) -> None:
    updates = updates_of(recorded(plan, assets, mode), settings_for(plan))
    started = updates[0]
    assert isinstance(started, ScanStarted)
    assert started.scan.projection_count == PROJECTIONS
    (reference,) = (update for update in updates if isinstance(update, ReferenceReady))
    assert [level(ref) for ref in reference.flats] == [1000] * FLATS
    assert [level(ref) for ref in reference.darks] == [10] * DARKS
    assert [ref.index for ref in reference.flats] == list(range(FLATS))
    assert {ref.kind for ref in reference.darks} == {FrameKind.DARK}
    frames = frames_of(updates)
    assert [ref.index for ref in frames] == list(range(PROJECTIONS))
    assert [level(ref) for ref in frames] == [level_of(index) for index in range(PROJECTIONS)]
    tolerance = 0.01 if plan == "fxi" else 1e-12  # a clock's resolution between monitor and frame
    np.testing.assert_allclose([ref.angle_rad or 0.0 for ref in frames], ANGLES, atol=tolerance)
    ended = updates[-1]
    assert isinstance(ended, ScanEnded)
    assert (ended.outcome, ended.problems) == ("success", ())
    assert ended.completeness.is_complete
    assert ended.completeness.projections_used == PROJECTIONS


def test_the_start_document_tells_everything() -> None:
    (scan,) = (
        one.scan for one in updates_of(recorded(), settings_for("anatomix")) if isinstance(one, ScanStarted)
    )
    start = recorded()[0][1]
    assert scan.uid == start["uid"]
    assert scan.started_s == start["time"]
    assert scan.angles_rad == ANGLES  # bit for bit
    assert scan.detector_shape == (ROWS, COLUMNS)
    assert (scan.voxel_size_um, scan.energy_kev, scan.phase_shift_rad) == (PIXEL_UM, ENERGY_KEV, PHASE_RAD)
    assert (scan.centre_of_rotation, scan.is_line_integral, scan.assumptions) == (None, False, ())
    assert scan.plan["plan_name"] == "tomography"
    assert "angles_rad" not in scan.plan


def test_values_come_from_the_baseline_and_from_the_profile() -> None:
    (scan,) = (
        one.scan
        for one in updates_of(recorded("fxi", mode="fly"), settings_for("fxi"))
        if isinstance(one, ScanStarted)
    )
    assert (scan.voxel_size_um, scan.energy_kev) == (PIXEL_UM, ENERGY_KEV)
    assert scan.phase_shift_rad == pytest.approx(-np.pi / 2)
    assert len(scan.assumptions) == 1
    assert "phase_shift_rad -1.5708" in scan.assumptions[0]


def test_values_come_from_a_device_s_configuration() -> None:
    documents = recorded("hex", "stream", "fly")
    values = {"pixel_size_um": {"paths": ["configuration.kinetix1.kinetix1-exposure_time"], "scale": 500.0}}
    (scan,) = (
        one.scan
        for one in updates_of(documents, settings_for("hex", values=values))
        if isinstance(one, ScanStarted)
    )
    assert scan.voxel_size_um == pytest.approx(0.5)
    assert scan.assumptions == ()


def test_darks_and_flats_of_another_run_are_named_as_its_own() -> None:
    documents = recorded("hex", "stream", "fly")
    (reference,) = (
        one for one in updates_of(documents, settings_for("hex")) if isinstance(one, ReferenceReady)
    )
    first, second = (document["uid"] for name, document in documents if name == "start")
    assert reference.scan_uid == second
    assert {ref.scan_uid for ref in (*reference.flats, *reference.darks)} == {first}


def test_the_run_before_gives_the_reference() -> None:
    documents = recorded("hex", "stream", "fly")
    settings = settings_for("hex", references={"sources": ["previous"]})
    updates = updates_of(documents, settings)
    assert [len(one.flats) for one in updates if isinstance(one, ReferenceReady)] == [FLATS]
    alone = documents[next(n for n, (name, _) in enumerate(documents) if name == "stop") + 1 :]
    ended = updates_of(alone, settings)[-1]
    assert isinstance(ended, ScanEnded)
    assert ended.outcome == "fail"
    assert "no flats: none came in a run before" in ended.reason


@pytest.mark.parametrize(
    ("source", "unit"),
    [
        ({"kind": "linspace", "start": "start.angle_start_deg", "stop": "start.angle_stop_deg"}, 1.0),
        ({"kind": "linspace", "start": 0.0, "range": 180.0, "endpoint": False}, 1.0),
        ({"kind": "linspace", "start": 0.0, "range": 9.0, "endpoint": False, "scale": 20.0}, 1.0),
        ({"kind": "event", "key": "rotation"}, 1.0),
        ({"kind": "event", "key": "rotation", "scale": -1.0}, -1.0),
        ({"kind": "planned", "path": "start.angles_rad"}, 1.0),
        ({"kind": "monitor", "stream": "nothing", "key": "rotation"}, None),
    ],
)
def test_angles_from_each_source(source: dict[str, Any], unit: float | None) -> None:
    updates = updates_of(recorded(), settings_for("anatomix", angles=[source]))
    told = [ref.angle_rad for ref in frames_of(updates)]
    if unit is None:
        assert told == []
        assert any("9 projections came without an angle" in text for text in updates[-1].problems)  # type: ignore[union-attr]
        assert not updates[-1].completeness.is_complete  # type: ignore[union-attr]
    else:
        np.testing.assert_allclose(told, np.asarray(ANGLES) * unit, atol=1e-12)


def test_an_offset_is_added_in_the_same_unit() -> None:
    source = {"kind": "event", "key": "rotation", "offset": 90.0}
    told = [
        ref.angle_rad for ref in frames_of(updates_of(recorded(), settings_for("anatomix", angles=[source])))
    ]
    np.testing.assert_allclose(told, np.asarray(ANGLES) + np.pi / 2, atol=1e-12)


def test_the_first_source_that_a_run_has_counts() -> None:
    sources = [
        {"kind": "planned", "path": "start.nothing"},
        {"kind": "stream", "key": "rotation"},
        {"kind": "event"},
    ]
    updates = updates_of(recorded(), settings_for("anatomix", angles=sources))
    assert len(frames_of(updates)) == PROJECTIONS
    only = settings_for("anatomix", angles=sources[:2])
    ended = updates_of(recorded(), only)[-1]
    assert isinstance(ended, ScanEnded)
    assert "has no angles: looked for a list at start.nothing, stream key rotation" in ended.reason


def test_other_runs_are_ignored() -> None:
    settings = settings_for("anatomix", runs={"scan": {"plan_name": "count"}})
    assembler = Assembler(settings)
    for name, document in recorded():
        assert assembler.handle(name, document, 0.0) == []
    assert assembler.state.ignored_runs == 1
    assert assembler.state.orphans == 0
    assert assembler.state.rejected == {}
