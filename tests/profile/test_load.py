"""A profile is read whole, or refused with file, line, key and remedy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import streamlcn
from streamlcn.errors import BadInput, BadProfile
from streamlcn.profile import load_profile, profile_names

LEAST = "name: x\nsegmentation:\n  backend: otsu\n"


def written(folder: Path, text: str, name: str = "one") -> Path:
    """Write a profile below ``folder`` and return its file."""
    file = folder / name / "profile.yaml"
    file.parent.mkdir()
    file.write_text(text, "utf-8")
    return file


def test_the_least_profile_has_the_defaults(tmp_path: Path) -> None:
    file = written(tmp_path, LEAST)
    profile = load_profile(file)
    assert profile == load_profile(str(file.parent))
    assert (profile.name, profile.folder) == ("x", tmp_path / "one")
    assert profile.reconstruction.method.backend == "fbp"
    assert profile.store.uri == "http://localhost:8000"
    assert profile.state_dir == Path.home() / ".local/state/streamlcn/x"


def test_the_package_offers_it() -> None:
    assert streamlcn.load_profile("anatomix") == load_profile("anatomix")
    assert re.match(r"\d+\.\d+", streamlcn.__version__)
    with pytest.raises(AttributeError, match="no attribute 'load_profiles'"):
        streamlcn.load_profiles  # noqa: B018


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("documents:\n  refrences: {}", 5, "documents.refrences: unknown key; did you mean 'references'?"),
        ("web: {prot: 1}", 4, "web.prot: unknown key; did you mean 'port'?"),
        ("web: {xyzzy: 1}", 4, "web.xyzzy: unknown key; known here: host, port, porosity_band, page_hz"),
        ("stroe: {}", 4, "stroe: unknown key; did you mean 'store'?"),
        ("web: {port: 70000}", 4, "web.port: should be less than or equal to 65535, not 70000 (0: a"),
        ("web:\n\n  port: a", 6, "web.port: should be a valid integer, unable to parse string"),
        ("web: 8790", 4, "web: 8790 is a value, this is a section; write {host: ...}"),
        (
            "documents: {values: {pixel_size_um: 0.1}}",
            4,
            "documents.values.pixel_size_um: 0.1 is a value, this is a section; write {paths: ...}",
        ),
        (
            "reconstruction: {method: fbp}",
            4,
            "reconstruction.method: 'fbp' is a value, this is a section; write {backend: fbp}",
        ),
        (
            "reconstruction: {method: {backend: tomopi}}",
            4,
            "reconstruction.method.backend: 'tomopi' is not known; did you mean 'tomopy'?",
        ),
        (
            "reconstruction: {method: {device: cpu}}",
            4,
            "reconstruction.method.backend: this key is needed, to say which of astra, fbp, tomopy",
        ),
        (
            "reconstruction: {method: {backend: astra, batch: 1}}",
            4,
            "reconstruction.method.batch: unknown key with backend: astra; known here: backend,",
        ),
        (
            "reconstruction: {correction: {rings: maen}}",
            4,
            "reconstruction.correction.rings: 'maen' is not known; did you mean 'mean'?",
        ),
        (
            "documents:\n  angles:\n  - {kind: event}\n  - {kind: motor}",
            7,
            "documents.angles.1.kind: 'motor' is not known; did you mean 'monitor'?",
        ),
        (
            "documents: {angles: [{kind: monitor, stream: s}]}",
            4,
            "documents.angles.0.key: this key is needed (data key of the motor)",
        ),
        ("documents: {angles: [{kind: linspace}]}", 4, "documents.angles.0: give one of stop and range"),
        (
            "documents: {angles: [{kind: linspace, start: 1, stop: 2, range: 1}]}",
            4,
            "documents.angles.0: give one of stop",
        ),
        (
            "documents: {detector: detectors.0}",
            4,
            "documents.detector.0: should be dotted text that begins with start., configuration. or",
        ),
        (
            "morphometry: {shell_outer_voxels: 2}",
            4,
            "morphometry: shell_outer_voxels (2.0) must exceed shell_inner_voxels (5.0)",
        ),
    ],
)
def test_mistakes_are_named_with_their_place_and_remedy(
    tmp_path: Path, text: str, line: int, message: str
) -> None:
    file = written(tmp_path, LEAST + text)
    with pytest.raises(BadProfile) as caught:
        load_profile(file)
    assert str(caught.value).startswith(f"{file}, line {line}: {message}")
    assert "\n" not in str(caught.value)


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    text = LEAST + "web: {port: a}\nstore: {urj: b}\ndocuments: {angles: [{kind: no}]}\n"
    with pytest.raises(BadInput) as caught:
        load_profile(written(tmp_path, text))
    assert [line.split(": ")[1] for line in str(caught.value).splitlines()] == [
        "documents.angles.0.kind",
        "store.urj",
        "web.port",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("segmentation: {backend: otsu}", ": name: this key is needed (Short name of the beamline"),
        ("name: x", ": segmentation: this key is needed"),
        ("name: ../x\nsegmentation: {backend: otsu}", ", line 1: name: should match pattern"),
        ("", ": a profile is lines of 'key: value', this file holds nothing"),
        ("- a\n- b", ": a profile is lines of 'key: value', this file holds a list"),
        ("name: [x", ": not YAML: line 1, column 9: expected ',' or ']'"),
        ("name: x\n\tweb: 1", ": not YAML: line 2, column 1"),
        (
            "name: !!python/object:os.system x",
            ": not YAML: line 1, column 7: could not determine a constructor",
        ),
        (LEAST + "name: y", ", line 4: 'name' stands in line 1 already; put both into one"),
        (LEAST + "web: {port: 1, port: 2}", ", line 4: 'port' stands in line 4 already"),
        (LEAST + "web: &web {host: *web}", ", line 4: this value contains itself"),
        (LEAST + "1: 2", ", line 4: '1' is no text, as keys are"),
    ],
)
def test_what_is_no_profile_is_refused(tmp_path: Path, text: str, message: str) -> None:
    file = written(tmp_path, text)
    with pytest.raises(BadProfile) as caught:
        load_profile(file)
    assert str(caught.value).startswith(f"{file}{message}")


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"\x80\xff\x00")
    with pytest.raises(BadProfile, match="not YAML"):
        load_profile(file)


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(BadProfile, match=r"no profile 'anatomx'.*did you mean 'anatomix'\?"):
        load_profile("anatomx")
    with pytest.raises(BadProfile, match=f"known here: {', '.join(profile_names())}"):
        load_profile("qqq/profile.yaml")


def test_profiles_beside_the_working_directory_are_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "profiles").mkdir()
    written(tmp_path / "profiles", LEAST, "mine")
    monkeypatch.chdir(tmp_path)
    assert set(profile_names()) > {"mine", "anatomix"}
    assert load_profile("mine").folder == tmp_path / "profiles" / "mine"


def test_one_value_stands_for_a_list_of_one(tmp_path: Path) -> None:
    text = LEAST + "documents: {streams: {projection: tomo}, values: {energy_kev: {paths: start.XEng}}}"
    documents = load_profile(written(tmp_path, text)).documents
    assert documents.streams.projection == ("tomo",)
    assert documents.values.energy_kev.paths == ("start.XEng",)


def test_a_fallback_alone_leaves_the_places_to_look(tmp_path: Path) -> None:
    values = load_profile(written(tmp_path, LEAST + "documents: {values: {pixel_size_um: {fallback: 0.3}}}"))
    pixel = values.documents.values.pixel_size_um
    assert (pixel.paths, pixel.fallback) == (("start.pixel_size_um",), 0.3)


def test_paths_in_a_file_begin_at_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    text = (
        "name: x\nsegmentation: {backend: unet, bundle: ../two/model}\nstore: {api_key_file: ~/key}\n"
        "documents: {files: {allowed_roots: [data, /gpfs]}}\ningest: {state_dir: state}\n"
    )
    profile = load_profile(written(tmp_path, text))
    folder = tmp_path / "one"
    assert profile.segmentation.bundle == folder / "../two/model"  # type: ignore[union-attr]
    assert profile.store.api_key_file == tmp_path / "home" / "key"
    assert profile.documents.files.allowed_roots == (folder / "data", Path("/gpfs"))
    assert profile.state_dir == folder / "state"
