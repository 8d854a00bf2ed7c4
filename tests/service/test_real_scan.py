"""A stored scan gives one volume: played live, replayed, reconstructed from its file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from simulators.plan_shapes import SHAPES
from simulators.plans import Tomography
from simulators.rig import make_rig
from simulators.session import Session
from simulators.stored import Overrides, file_scene
from streamlcn.cli import main
from streamlcn.pipeline import Router
from streamlcn.service import Said, open_file_scan, updates_of_file
from tests.service.bench import Bench
from tests.service.rod import Documents, journal

TOOTH = Path(__file__).parents[1] / "data" / "tomography" / "tooth.h5"
BUNDLE = Path(__file__).parents[2] / "profiles" / "anatomix" / "model"
VOXEL_UM = 1.0


def played(directory: Path, assets: str) -> Documents:
    """Documents of a beamline whose camera takes the frames of the file."""
    documents: Documents = []
    scene = file_scene(TOOTH, Overrides(pixel_size_um=VOXEL_UM))
    with Session() as session:
        session.subscribe(lambda name, document: documents.append((name, dict(document))))
        rig = make_rig(scene, SHAPES["anatomix"], assets=assets, directory=directory, loop=session.loop)
        session.run(Tomography(rig=rig, scene=scene, shape=SHAPES["anatomix"])())
    return documents


@pytest.mark.parametrize("assets", ["stream", pytest.param("inline", marks=pytest.mark.slow)])
def test_live_replay_and_file_give_the_same_bits(tmp_path: Path, assets: str) -> None:
    network = {"backend": "sensor3d", "bundle": str(BUNDLE)}
    options = {"documents.files.allowed_roots": [str(tmp_path)], "segmentation": network}
    bench = Bench(tmp_path / "live", **options)
    documents = played(tmp_path, assets)
    journal(bench.journal, documents)
    bench.run()
    live = bench.result(documents)
    assert live.metadata["status"] == "complete", live.metadata

    with open_file_scan(str(TOOTH), Said(voxel_size_um=VOXEL_UM), bench.profile) as file:
        router = Router(bench.parts)
        for update in updates_of_file(file, uid="replayed"):
            router.handle(update)
    replayed = bench.parts.store.results["replayed", bench.parts.recipe.hash]  # type: ignore[attr-defined]
    for key, values in live.arrays.items():
        assert np.array_equal(values, replayed.arrays[key]), key
    assert live.metadata["lcn"] == replayed.metadata["lcn"]

    out = tmp_path / "volume.npy"
    with pytest.raises(SystemExit) as ended:
        main(["reconstruct", str(TOOTH), "--out", str(out), "--profile", "anatomix"])
    assert ended.value.code == 0
    assert np.array_equal(np.load(out), live.arrays["reconstruction"])
