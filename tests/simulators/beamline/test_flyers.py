"""A classic flyer says of a frame only what it has explained."""

from __future__ import annotations

import numpy as np
from ophyd_async.plan_stubs import ensure_connected

from simulators.flyers import ClassicFlyer
from simulators.plan_shapes import SHAPES
from simulators.rig import make_rig
from simulators.scene import Scene, Segment
from simulators.session import Session
from simulators.stored import StoredFrames


def test_no_event_comes_before_its_datum(tmp_path):
    """A frame may come between the RunEngine's two questions, for asset documents and for events."""
    angles = tuple(np.deg2rad([0.0, 60.0, 120.0]).tolist())
    frames = StoredFrames(
        lambda role, number: np.full((2, 3), number, np.uint16),
        counts={"projection": 3},
        angles_rad=angles,
        shape=(2, 3),
    )
    scene = Scene(
        exposer=frames, segments=(Segment(role="projection", angles_rad=angles),), facts={"energy_kev": 1.0}
    )
    with Session() as session:
        rig = make_rig(scene, SHAPES["anatomix"], assets="resource", directory=tmp_path, loop=session.loop)
        session.run(ensure_connected(*rig.to_connect))
        rig.hutch.is_shutter_open = True
        rig.camera.stage()
        flyer = ClassicFlyer(rig.camera, rig.rotation, [0, 60, 120], loop=session.loop, stream="primary")
        known, told = set(), 0
        for angle in (0.0, 60.0, 120.0, None):
            documents = list(flyer.collect_asset_docs())
            known |= {document["datum_id"] for name, document in documents if name == "datum"}
            if angle is not None:
                flyer._take(angle)
            for event in flyer.collect():
                told += 1
                assert event["data"]["camera_image"] in known
        assert told == 3
        rig.camera.unstage()
