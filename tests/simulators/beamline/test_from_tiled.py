"""A raw run goes into tiled by bluesky's own writer, and comes out of the camera again."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pytest

from simulators.from_tiled import run_scene
from simulators.imager import Imager
from simulators.instruments import load_instrument
from simulators.plan_shapes import SHAPES
from simulators.plans import Tomography
from simulators.rig import make_rig
from simulators.scene import Scene, Segment, grouped
from simulators.session import Session, quiet_stdout
from simulators.stored import Overrides

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # tiled's server uses what its parts deprecate
    pytest.mark.filterwarnings(
        "ignore::ResourceWarning"
    ),  # its SQLite connections are closed by the collector
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory):
    """A tiled server in this process, with SQLite storage."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside tiled's server and its dependencies, at import
        import starlette.testclient  # noqa: F401
        from tiled.catalog import from_uri
        from tiled.client import Context, from_context
        from tiled.server.app import build_app
    folder = tmp_path_factory.mktemp("tiled")
    for name in ("data", "raw"):
        (folder / name).mkdir()
    tree = from_uri(
        f"sqlite:///{folder}/catalog.db",
        writable_storage=[str(folder / "data"), f"sqlite:///{folder}/tables.db"],
        readable_storage=[str(folder / "raw")],
        init_if_not_exists=True,
    )
    with Context.from_app(build_app(tree)) as context:
        client = from_context(context)
        client.raw_folder = folder / "raw"
        yield client


@pytest.fixture(scope="module")
def scene():
    """Flats before and after, as the hardest case for files that several streams share."""
    imager = Imager(load_instrument("anatomix"), "tiny", 3)
    angles = tuple((np.arange(6) * np.pi / 6).tolist())
    imager.prepare(angles)
    return Scene(
        exposer=imager,
        segments=(
            Segment(role="dark", angles_rad=(0.0, 0.0)),
            Segment(role="flat", angles_rad=(0.0, 0.0)),
            Segment(role="projection", angles_rad=angles),
            Segment(role="flat", angles_rad=(0.0,)),
        ),
        facts={
            "pixel_size_um": imager.pixel_um,
            "energy_kev": 10.0,
            "phase_shift_rad": imager.phase_shift_rad,
        },
    )


def stored(catalogue, scene, plan, assets, mode):
    """Run a scan and store it; returns its last run's uid and its frames in the order they were exposed."""
    from bluesky_tiled_plugins import TiledWriter

    documents = []
    with quiet_stdout(), Session() as session:
        session.subscribe(lambda name, document: documents.append((name, copy.deepcopy(document))))
        shape = SHAPES[plan]
        rig = make_rig(scene, shape, assets=assets, directory=catalogue.raw_folder, loop=session.loop)
        uids = session.run(Tomography(rig=rig, scene=scene, shape=shape, mode=mode)())
    writer = TiledWriter(catalogue, batch_size=1, max_array_size=0)
    for name, document in documents:
        writer(name, document)
    return uids[-1]


def frames_of(scene, segments):
    """Expose a scene's segments without any beamline, or play them; returns the frames of each role."""
    frames = {"dark": [], "flat": [], "projection": []}
    for part in segments:
        for angle in part.angles_rad:
            frames[part.role].append(
                scene.exposer.expose(
                    angle_rad=angle,
                    sample_in=part.role != "flat",
                    shutter_open=part.role != "dark",
                    exposure=sum(map(len, frames.values())),
                )
            )
    return {role: np.stack(taken) for role, taken in frames.items()}


@pytest.mark.parametrize(
    ("plan", "assets", "mode"),
    [
        ("anatomix", "stream", "fly"),
        ("anatomix", "resource", "step"),
        ("hex", "stream", "fly"),
        ("anatomix", "inline", "step"),
        ("anatomix", "inline", "fly"),
        ("anatomix", "stream", "step"),
        ("fxi", "inline", "fly"),
        ("fxi", "resource", "fly"),
        ("fxi", "stream", "fly"),
    ],
)
def test_what_was_stored_is_played(catalogue, scene, plan, assets, mode):
    uid = stored(catalogue, scene, plan, assets, mode)
    found = run_scene(catalogue, uid, Overrides())
    taken = scene.segments if SHAPES[plan].order is None else grouped(scene.segments, SHAPES[plan].order)
    wanted = frames_of(scene, taken)
    played = frames_of(found, found.segments)
    for role, frames in wanted.items():
        np.testing.assert_array_equal(played[role], frames)
    assert found.dtype == np.uint16
    tolerance = np.deg2rad(2.0) if plan == "fxi" else 1e-9
    np.testing.assert_allclose(found.angles_rad, scene.angles_rad, atol=tolerance)
    if plan == "anatomix":
        assert found.facts["pixel_size_um"] == pytest.approx(scene.facts["pixel_size_um"])
        assert found.facts["phase_shift_rad"] == pytest.approx(scene.facts["phase_shift_rad"])
    assert found.facts["stored_scan"] == uid


def test_flats_after_the_projections_stay_after_them(catalogue, scene):
    uid = stored(catalogue, scene, "anatomix", "stream", "step")
    found = run_scene(catalogue, uid, Overrides())
    assert [(part.role, len(part)) for part in found.segments] == [
        ("dark", 2),
        ("flat", 2),
        ("projection", 6),
        ("flat", 1),
    ]


def test_a_run_that_is_not_there(catalogue):
    with pytest.raises(ValueError, match="no run nowhere"):
        run_scene(catalogue, "nowhere", Overrides())
