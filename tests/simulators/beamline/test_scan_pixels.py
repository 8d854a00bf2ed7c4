"""Whatever the plan and however pixels travel, a subscriber finds exactly what the camera exposed."""

from __future__ import annotations

import numpy as np
import pytest
from event_model import DocumentNames, schema_validators
from listening import SMALL, Reader, decoded

from simulators.angles import ORDERS as ORDERS_OF_ANGLES
from simulators.imager import Imager
from simulators.instruments import load_instrument

ANGLES = np.arange(8) * np.pi / 8
STREAMS = {"anatomix": "primary", "fxi": "primary", "hex": "tomo", "htss": "primary"}
DARKS = {"anatomix": "dark", "fxi": "dark", "hex": "dark", "htss": "darks"}
FLATS = {"anatomix": "flat", "fxi": "flat", "hex": "flat", "htss": "flats"}
ORDERS = {"anatomix": "dfp", "fxi": "dpf", "hex": "dfp", "htss": "fdp"}


def exposed(order: str, angles: np.ndarray = ANGLES) -> dict[str, np.ndarray]:
    """Expose what the scan exposes, in its order, without any beamline."""
    imager = Imager(load_instrument("anatomix"), "tiny", 3)
    imager.prepare(angles)
    frames: dict[str, list[np.ndarray]] = {"d": [], "f": [], "p": []}
    number = 0
    for role in order:
        for angle in {"d": [0.0] * 2, "f": [0.0] * 3, "p": angles.tolist()}[role]:
            frames[role].append(
                imager.expose(
                    angle_rad=angle, sample_in=role != "f", shutter_open=role != "d", exposure=number
                )
            )
            number += 1
    return {role: np.stack(taken) for role, taken in frames.items()}


CASES = [
    *(("anatomix", assets, mode) for assets in ("inline", "resource", "stream") for mode in ("step", "fly")),
    *(("fxi", assets, "fly") for assets in ("inline", "resource", "stream")),
    *(("htss", assets, "step") for assets in ("inline", "resource", "stream")),
    ("hex", "stream", "fly"),
]


@pytest.mark.parametrize(("plan", "assets", "mode"), CASES)
def test_pixels_arrive_as_exposed(scan, listener, plan, assets, mode):
    told = scan(*SMALL, "--plan", plan, "--assets", assets, "--mode", mode)
    messages = listener.messages_until_stops(told["uids"])
    documents = [decoded(message, "pickle") for message in messages]
    reader = Reader(documents)
    wanted = exposed(ORDERS[plan])
    for role, names in (("d", DARKS), ("f", FLATS), ("p", STREAMS)):
        np.testing.assert_array_equal(np.stack(reader.streams[names[plan]].pixels), wanted[role])
    assert [stop["exit_status"] for stop in reader.stops] == ["success"] * (2 if plan == "hex" else 1)
    assert [start["uid"] for start in reader.starts] == told["uids"]
    for name, document in documents:
        schema_validators[DocumentNames[name]].validate(document)


@pytest.mark.parametrize("assets", ["resource", "stream"])
def test_files_without_swmr_hold_the_same_pixels(scan, listener, assets):
    told = scan(*SMALL, "--assets", assets, "--no-swmr")
    messages = listener.messages_until_stops(told["uids"])
    reader = Reader([decoded(message, "pickle") for message in messages])
    np.testing.assert_array_equal(np.stack(reader.streams["primary"].pixels), exposed("dfp")["p"])


@pytest.mark.parametrize("codec", ["pickle", "msgpack", "json"])
def test_pixels_survive_every_codec(scan, listener, codec):
    scan(*SMALL, "--codec", codec)
    documents = [decoded(message, codec) for message in listener.messages(1 + 3 + 13 + 1)]
    assert [documents[0][0], documents[-1][0]] == ["start", "stop"]
    reader = Reader(documents)
    np.testing.assert_array_equal(np.stack(reader.streams["primary"].pixels), exposed("dfp")["p"])
    np.testing.assert_array_equal(np.stack(reader.streams["dark"].pixels), exposed("dfp")["d"])


@pytest.mark.slow
@pytest.mark.parametrize("codec", ["msgpack", "json"])
@pytest.mark.parametrize(("plan", "assets", "mode"), CASES)
def test_every_plan_survives_every_codec(scan, listener, plan, assets, mode, codec):
    told = scan(*SMALL, "--plan", plan, "--assets", assets, "--mode", mode, "--codec", codec)
    documents, stops = [], 0
    while stops < len(told["uids"]):
        documents.append(decoded(listener.messages(1)[0], codec))
        stops += documents[-1][0] == "stop"
    reader = Reader(documents)
    wanted = exposed(ORDERS[plan])
    for role, names in (("d", DARKS), ("f", FLATS), ("p", STREAMS)):
        np.testing.assert_array_equal(np.stack(reader.streams[names[plan]].pixels), wanted[role])


@pytest.mark.parametrize("order", ["golden", "interlaced"])
@pytest.mark.parametrize(
    ("plan", "assets", "mode"),
    [
        ("anatomix", "inline", "step"),
        ("anatomix", "stream", "fly"),
        ("fxi", "resource", "fly"),
        ("hex", "stream", "fly"),
        ("htss", "inline", "step"),
    ],
)
def test_angles_in_other_orders_reach_their_frames(scan, listener, plan, assets, mode, order):
    told = scan(*SMALL, "--plan", plan, "--assets", assets, "--mode", mode, "--order", order)
    reader = Reader([decoded(m, "pickle") for m in listener.messages_until_stops(told["uids"])])
    angles = ORDERS_OF_ANGLES[order](8)
    wanted = exposed(ORDERS[plan], angles)
    np.testing.assert_array_equal(np.stack(reader.streams[STREAMS[plan]].pixels), wanted["p"])
    if plan == "anatomix":
        assert reader.starts[0]["angles_rad"] == angles.tolist()
    if plan == "fxi":
        positions = reader.events["zps_pi_r_monitor"]
        at = [position["timestamps"]["zps_pi_r"] for position in positions]
        degrees = [position["data"]["zps_pi_r"] for position in positions]
        told_deg = np.interp(reader.events["primary"][0]["data"]["Andor_timestamps"], at, degrees)
        np.testing.assert_allclose(told_deg, np.rad2deg(angles), atol=2.0)
    elif assets != "stream" or plan == "hex":
        told_deg = reader.streams[STREAMS[plan]].rotation_deg
        np.testing.assert_allclose(told_deg, np.rad2deg(angles), atol=1e-9)


@pytest.mark.parametrize("mode", ["step", "fly"])
def test_events_tell_the_angles_in_degrees(scan, listener, mode):
    told = scan(*SMALL, "--mode", mode)
    reader = Reader([decoded(m, "pickle") for m in listener.messages_until_stops(told["uids"])])
    np.testing.assert_allclose(reader.streams["primary"].rotation_deg, np.rad2deg(ANGLES), atol=1e-9)


def test_hex_tells_the_angles_in_a_stream_and_links_its_references(scan, listener):
    told = scan(*SMALL, "--plan", "hex", "--assets", "stream")
    reader = Reader([decoded(m, "pickle") for m in listener.messages_until_stops(told["uids"])])
    references, projections = reader.starts
    assert projections["current_dark_flat_scan_uid"] == references["uid"]
    np.testing.assert_allclose(reader.streams["tomo"].rotation_deg, np.rad2deg(ANGLES), atol=1e-9)
    assert "angles_rad" not in projections
    assert "pixel_size_um" not in projections


def test_fxi_tells_the_angles_by_a_monitor(scan, listener):
    told = scan(*SMALL, "--plan", "fxi", "--assets", "resource")
    reader = Reader([decoded(m, "pickle") for m in listener.messages_until_stops(told["uids"])])
    (event,) = reader.events["primary"]
    positions = reader.events["zps_pi_r_monitor"]
    at = [position["timestamps"]["zps_pi_r"] for position in positions]
    degrees = [position["data"]["zps_pi_r"] for position in positions]
    found = np.interp(event["data"]["Andor_timestamps"], at, degrees)
    np.testing.assert_allclose(found, np.rad2deg(ANGLES), atol=1.0)
    assert "angles_rad" not in reader.starts[0]
    baseline = reader.events["baseline"][0]["data"]
    assert baseline["microscope-pixel_size"] == pytest.approx(0.282)
    assert baseline["microscope-energy"] == 10.0


def test_start_document_says_what_is_scanned(scan, listener):
    told = scan(*SMALL, "--tell-axis")
    (start,) = Reader([decoded(m, "pickle") for m in listener.messages_until_stops(told["uids"])]).starts
    imager = Imager(load_instrument("anatomix"), "tiny", 3)
    wanted = {
        "plan_name": "tomography",
        "scan_type": "tomography",
        "projection_count": 8,
        "flat_count": 3,
        "dark_count": 2,
        "angles_rad": ANGLES.tolist(),
        "angle_start_deg": 0.0,
        "angle_stop_deg": pytest.approx(157.5),
        "detector": "camera",
        "detector_shape": [48, 64],
        "pixel_size_um": pytest.approx(0.282),
        "energy_kev": 10.0,
        "phase_shift_rad": pytest.approx(-np.pi / 2),
        "beamline": "anatomix",
        "rotation_axis_px": pytest.approx(imager.rotation_axis_px),
    }
    assert {key: start[key] for key in wanted} == wanted
    assert "frames_are_line_integrals" not in start


def test_several_scans_are_several_samples(scan, listener):
    told = scan(*SMALL, "--scans", "2")
    assert len(told["uids"]) == 2
    documents = [decoded(m, "pickle") for m in listener.messages_until_stops(told["uids"])]
    half = [name for name, _ in documents].index("stop") + 1
    first, second = Reader(documents[:half]), Reader(documents[half:])
    np.testing.assert_array_equal(np.stack(first.streams["primary"].pixels), exposed("dfp")["p"])
    assert second.starts[0]["sample_name"] == "simulated bone, seed 4"
    assert not np.array_equal(first.streams["primary"].pixels[0], second.streams["primary"].pixels[0])


def test_report_tells_phases_and_the_last_projection(scan):
    told = scan(*SMALL)
    (one,) = told["scans"]
    assert one["exit_statuses"] == ["success"]
    assert 0 < one["darks_s"] < 60
    assert 0 < one["projections_s"] < 60
    assert told["prepare_s"] > 0
    assert one["last_projection_at"] > 1.7e9
