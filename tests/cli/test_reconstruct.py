"""A file gives the right volume, the daemon's own where a profile is named, in every format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from streamlcn.files import open_volume, read_volume
from streamlcn.reconstruction import ReconstructionSettings, reconstruct
from tests.cli import scans
from tests.cli.running import Outcome, call


def profile_in(folder: Path, **more: Any) -> Path:
    """A profile that needs no server and no network."""
    content = {
        "name": "bench",
        "segmentation": {"backend": "otsu"},
        "store": {"backend": "memory"},
        "documents": {"files": {"allowed_roots": [str(folder)]}},
        **more,
    }
    path = folder / "profile.yaml"
    path.write_text(yaml.safe_dump(content), "utf-8")
    return path


def run(*words: object) -> Outcome:
    outcome = call("reconstruct", *words, "--json")
    assert outcome.status == 0, outcome.err
    return outcome


def test_the_defaults_are_those_of_a_profile_and_give_the_cylinder(tmp_path: Path) -> None:
    file = scans.write_nxtomo(tmp_path / "s.nxs")
    told = run(file, "--out", tmp_path / "v.npy", "--device", "cpu").json
    volume = read_volume(tmp_path / "v.npy")
    projections, flats, darks = scans.counts()
    settings = ReconstructionSettings.model_validate({"method": {"backend": "fbp", "device": "cpu"}})
    expected = reconstruct(projections, flats, darks, scans.ANGLES, settings=settings)
    np.testing.assert_array_equal(volume, expected)
    assert volume[:, scans.inside()].mean() == pytest.approx(scans.VALUE, rel=0.03)
    assert told["shape"] == [scans.ROWS, scans.COLUMNS, scans.COLUMNS]
    assert told["centre"]["pixels"] == pytest.approx(scans.CENTRE, abs=0.3)
    assert told["settings"]["correction"]["median_radius_px"] == 2
    assert (told["backend"], told["profile"], told["voxel_size_um"]) == ("fbp", None, scans.VOXEL_UM)
    assert told["seconds"] > 0


@pytest.mark.parametrize("flats", ["before", "both"])
def test_under_a_profile_it_is_the_daemons_volume_bit_for_bit(tmp_path: Path, flats: str) -> None:
    """The file is played by a real RunEngine; its documents go the daemon's way into a store."""
    from simulators.plan_shapes import SHAPES
    from simulators.plans import Tomography, no_pause
    from simulators.rig import make_rig
    from simulators.session import Session
    from simulators.stored import Overrides, file_scene
    from streamlcn.compose import make_assembler, make_parts
    from streamlcn.pipeline import Router
    from streamlcn.profile import load_profile
    from streamlcn.telemetry import NullTelemetry

    correction = {"median_radius_px": 1, "rings": "mean", "ring_width_px": 9}
    profile = profile_in(
        tmp_path,
        reconstruction={"correction": correction, "method": {"backend": "fbp", "device": "cpu"}},
        documents={"references": {"flats": flats}},
    )
    file = scans.write_nxtomo(tmp_path / "s.nxs", phase_shift_rad=-1.5)
    told = run(file, "--out", tmp_path / "v.h5", "--profile", profile).json

    documents: list[tuple[str, Any]] = []
    scene = file_scene(file, Overrides())
    with Session() as session:
        session.subscribe(lambda name, document: documents.append((name, dict(document))))
        rig = make_rig(scene, SHAPES["anatomix"], assets="inline", directory=tmp_path, loop=session.loop)
        session.run(
            Tomography(
                rig=rig, scene=scene, shape=SHAPES["anatomix"], mode="step", metadata={}, after_frame=no_pause
            )()
        )
    loaded = load_profile(profile)
    parts = make_parts(loaded, telemetry=NullTelemetry(), emit=lambda event: None)
    router, assembler = Router(parts), make_assembler(loaded)(())
    for now_s, (name, document) in enumerate(documents):
        for update in assembler.handle(name, document, float(now_s)):
            router.handle(update)
    for update in assembler.expire(1e9):
        router.handle(update)
    (result,) = parts.store.results.values()  # type: ignore[attr-defined]
    assert result.metadata["status"] == "complete", result.metadata
    np.testing.assert_array_equal(read_volume(tmp_path / "v.h5"), result.arrays["reconstruction"])
    assert told["centre"]["pixels"] == result.metadata["centre"]["pixels"]
    assert told["phase_shift_rad"] == -1.5
    assert ["3 flats" in text for text in told["assumptions"]] == [True] * (flats == "before")


def test_options_change_nothing_else_of_a_profile(tmp_path: Path) -> None:
    method = {"backend": "fbp", "device": "cpu", "filter": "hann"}
    profile = profile_in(
        tmp_path, reconstruction={"centre": {"value": 20.0, "tolerance_px": 0.5}, "method": method}
    )
    file = scans.write_nxtomo(tmp_path / "s.nxs")
    plain = run(file, "--out", tmp_path / "a.npy", "--profile", profile).json
    moved = run(file, "--out", tmp_path / "b.npy", "--profile", profile, "--centre", 22).json
    assert plain["centre"]["pixels"] == 20.0
    assert moved["settings"]["centre"] == {"value": 22.0, "tolerance_px": 0.5}
    assert {**moved["settings"], "centre": 0} == {**plain["settings"], "centre": 0}
    found = run(
        file, "--out", tmp_path / "c.npy", "--profile", profile, "--centre", "auto", "--rings", "mean"
    ).json
    assert found["centre"]["pixels"] == pytest.approx(scans.CENTRE, abs=0.5)
    assert found["settings"]["correction"] == {**plain["settings"]["correction"], "rings": "mean"}


def test_what_a_file_does_not_say_comes_from_the_person_then_from_the_profile(tmp_path: Path) -> None:
    values = {"pixel_size_um": {"fallback": 0.4}, "phase_shift_rad": {"fallback": -1.5}}
    profile = profile_in(tmp_path, documents={"values": values})
    file = scans.write_dxchange(tmp_path / "s.h5")
    alone = run(file, "--out", tmp_path / "a.npy").json
    assumed = run(file, "--out", tmp_path / "b.h5", "--profile", profile)
    said = run(
        file,
        "--out",
        tmp_path / "c.h5",
        "--profile",
        profile,
        "--voxel-size-um",
        0.1,
        "--phase-shift-rad",
        1.5,
    )
    assert (alone["voxel_size_um"], alone["phase_shift_rad"], alone["assumptions"]) == (None, None, [])
    assert (assumed.json["voxel_size_um"], assumed.json["phase_shift_rad"]) == (0.4, -1.5)
    assert len(assumed.json["assumptions"]) == 2
    assert "pixel_size_um 0.4 is the profile's" in assumed.err
    assert (said.json["voxel_size_um"], said.json["phase_shift_rad"], said.json["assumptions"]) == (
        0.1,
        1.5,
        [],
    )
    volumes = [read_volume(tmp_path / name) for name in ("a.npy", "b.h5", "c.h5")]
    inside = [volume[:, scans.inside()].mean() for volume in volumes]
    assert inside[0] == pytest.approx(scans.VALUE, rel=0.03)
    assert inside[1] == pytest.approx(-scans.VALUE, rel=0.03), "a plate of -1.5 rad makes bone bright"
    assert inside[2] == pytest.approx(scans.VALUE, rel=0.03)


def test_line_integrals_need_no_references(tmp_path: Path) -> None:
    file = scans.write_dxchange(tmp_path / "s.h5", is_line_integral=True)
    refused = call("reconstruct", file, "--out", tmp_path / "v.npy")
    assert refused.status == 2
    assert "no flats and no darks" in refused.err
    run(file, "--out", tmp_path / "v.npy", "--line-integrals", "--median-radius", 0, "--centre", scans.CENTRE)
    volume = read_volume(tmp_path / "v.npy")
    expected = reconstruct(
        scans.lines(), None, None, scans.ANGLES, centre=scans.CENTRE, is_line_integral=True
    )
    np.testing.assert_array_equal(volume, expected)
    counted = scans.write_nxtomo(tmp_path / "s.nxs")
    twice = call("reconstruct", counted, "--out", tmp_path / "w.npy", "--line-integrals")
    assert twice.status == 2
    assert "6 flats and 3 darks" in twice.err


@pytest.mark.parametrize("spec", ["v.h5:/deep/volume", "v.zarr", "v.npy", "v.tif", "slices/"])
def test_every_format_gets_the_same_volume_and_how_it_was_made(tmp_path: Path, spec: str) -> None:
    file = scans.write_nxtomo(tmp_path / "s.nxs")
    told = run(file, "--out", f"{tmp_path}/{spec}", "--device", "cpu", "--centre", 22).json
    with open_volume(f"{tmp_path}/{spec}") as volume:
        found = volume.read(0, scans.ROWS)
        if spec != "v.npy":
            assert volume.voxel_size_um == scans.VOXEL_UM
        if spec.startswith(("v.h5", "v.zarr")):
            assert volume.provenance["centre"] == {"pixels": 22.0, "stderr_pixels": None, "state": "final"}
            assert volume.provenance["settings"] == told["settings"]
            assert volume.provenance["versions"]["streamlcn"]
    run(file, "--out", tmp_path / "again.npy", "--device", "cpu", "--centre", 22)
    np.testing.assert_array_equal(found, read_volume(tmp_path / "again.npy"))


def test_nothing_is_replaced_unasked_and_a_failure_leaves_nothing(tmp_path: Path) -> None:
    file = scans.write_nxtomo(tmp_path / "s.nxs")
    before = file.read_bytes()
    out = tmp_path / "v.h5"
    failed = call("reconstruct", file, "--out", out, "--centre", 4000)
    assert failed.status == 1
    assert "4000" in failed.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s.nxs"]
    run(file, "--out", out)
    again = call("reconstruct", file, "--out", out)
    assert again.status == 2
    assert "exists already" in again.err
    run(file, "--out", out, "--force", "--centre", 21)
    with open_volume(out) as volume:
        assert volume.provenance["centre"]["pixels"] == 21.0
    own = call("reconstruct", file, "--out", f"{file}:/volume", "--force")
    assert own.status == 2
    assert "raw data stay as they are" in own.err
    assert file.read_bytes() == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--centre", "left"], "neither auto nor a number"),
        (["--centre", "nan"], "neither auto nor a number"),
        (["--set", "web.port=1"], "say which with --profile"),
        (["--voxel-size-um", "0"], "not a length above 0"),
        (["--profile", "nowhere"], "no profile 'nowhere'"),
        (["--out", "volume.raw"], "cannot tell what kind of volume"),
    ],
)
def test_bad_options_are_refused(tmp_path: Path, words: list[str], said: str) -> None:
    file = scans.write_nxtomo(tmp_path / "s.nxs")
    outcome = call("reconstruct", file, "--out", tmp_path / "v.npy", *words)
    assert outcome.status == 2
    assert said in outcome.err
    assert not (tmp_path / "v.npy").exists()


def test_people_get_a_table_and_a_warning(tmp_path: Path) -> None:
    file = scans.write_nxtomo(tmp_path / "s.nxs", voxel_um=None)
    outcome = call("reconstruct", file, "--out", tmp_path / "v.npy")
    assert outcome.status == 0
    assert "centre pixels" in outcome.out
    assert "measuring will need --voxel-size-um" in outcome.err
