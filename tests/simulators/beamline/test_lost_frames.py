"""Exposures that the camera loses, and frames at the camera's own pace."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from listening import Reader, decoded

from simulators.frame_file import TIMESTAMPS
from simulators.imager import Imager
from simulators.instruments import load_instrument
from simulators.tuning import tuned

LOSSY = ("--size", "tiny", "--seed", "3", "--projections", "20", "--darks", "4", "--flats", "5")
DROP = "camera.dropped_share=0.25"


def kept_frames(order):
    """Expose what a scan in this order keeps; frames of each role, and the projections' angles."""
    imager = Imager(tuned(load_instrument("anatomix"), [DROP]), "tiny", 3)
    angles = np.arange(20) * np.pi / 20
    imager.prepare(angles)
    frames = {"d": [], "f": [], "p": []}
    kept, number = [], 0
    for role in order:
        for angle in {"d": [0.0] * 4, "f": [0.0] * 5, "p": angles.tolist()}[role]:
            if not imager.is_dropped(number):
                frames[role].append(
                    imager.expose(
                        angle_rad=angle, sample_in=role != "f", shutter_open=role != "d", exposure=number
                    )
                )
                kept += [angle] * (role == "p")
            number += 1
    return frames, kept


@pytest.mark.parametrize(
    ("plan", "assets", "mode", "order", "streams"),
    [
        ("anatomix", "inline", "step", "dfp", ("dark", "flat", "primary")),
        ("anatomix", "resource", "fly", "dfp", ("dark", "flat", "primary")),
        ("anatomix", "stream", "fly", "dfp", ("dark", "flat", "primary")),
        ("fxi", "inline", "fly", "dpf", ("dark", "flat", "primary")),
        ("hex", "stream", "fly", "dfp", ("dark", "flat", "tomo")),
    ],
)
def test_lost_exposures_are_in_no_document(scan, listener, plan, assets, mode, order, streams):
    told = scan(*LOSSY, "--plan", plan, "--assets", assets, "--mode", mode, "--set", DROP)
    reader = Reader([decoded(m, "pickle") for m in listener.messages_until_stops(told["uids"])])
    wanted, angles = kept_frames(order)
    assert 8 < len(angles) < 20
    for role, stream in zip("dfp", streams, strict=True):
        np.testing.assert_array_equal(np.stack(reader.streams[stream].pixels), np.stack(wanted[role]))
    if plan == "hex" or (plan == "anatomix" and assets != "stream"):
        np.testing.assert_allclose(reader.streams[streams[2]].rotation_deg, np.rad2deg(angles), atol=1e-9)
    if plan == "anatomix":
        assert reader.starts[0]["projection_count"] == len(reader.starts[0]["angles_rad"]) == 20
        assert reader.stops[0]["exit_status"] == "success"


@pytest.mark.parametrize(("assets", "mode"), [("resource", "step"), ("stream", "fly")])
def test_frames_come_at_the_camera_s_pace(scan, tmp_path, assets, mode):
    scan(
        *LOSSY,
        "--instrument",
        "p05",
        "--set",
        "exposure_s=0.05",
        "--real-time",
        "--assets",
        assets,
        "--mode",
        mode,
    )
    (path,) = tmp_path.glob("*.h5")
    with h5py.File(path) as file:
        taken = file[TIMESTAMPS][()]
    assert len(taken) == 29
    assert (taken[-1] - taken[0]) / 28 > 0.048
