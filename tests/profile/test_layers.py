"""Keys above keys: profiles that extend others, and overrides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from streamlcn.errors import BadProfile
from streamlcn.profile import load_profile, parse_overrides

BASE = """\
name: base
description: the base
segmentation: {backend: sensor3d, bundle: model, slab_height: 8}
web: {port: 1, host: 0.0.0.0}
documents:
  runs: {scan: {mode: tomo}}
  angles: [{kind: event, key: a}, {kind: event, key: b}]
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a profile ``base``."""
    return written(tmp_path, "base", BASE)


def written(folder: Path, name: str, text: str) -> Path:
    """Write a profile named ``name`` and return the folder of profiles."""
    (folder / name).mkdir(exist_ok=True)
    (folder / name / "profile.yaml").write_text(text, "utf-8")
    return folder


def test_sections_are_laid_over_sections(folder: Path) -> None:
    text = "extends: ../base\nname: mine\nweb: {port: 2}\nsegmentation: {slab_height: 4}\n"
    profile = load_profile(written(folder, "mine", text) / "mine")
    assert (profile.web.port, profile.web.host) == (2, "0.0.0.0")
    assert profile.segmentation.slab_height == 4
    assert profile.segmentation.bundle == folder / "base" / "model"  # type: ignore[union-attr]
    assert (profile.name, profile.description) == ("mine", "")
    assert profile.folder == folder / "mine"


def test_lists_and_free_mappings_are_replaced(folder: Path) -> None:
    text = "extends: base\nname: x\ndocuments: {runs: {scan: {kind: a}}, angles: [{kind: stream}]}"
    documents = load_profile(written(folder, "mine", text) / "mine").documents
    assert documents.runs.scan == {"kind": ("a",)}
    assert [angle.kind for angle in documents.angles] == ["stream"]


def test_another_backend_takes_the_whole_place(folder: Path) -> None:
    text = "extends: base\nname: mine\nsegmentation: {backend: otsu}\n"
    profile = load_profile(written(folder, "mine", text) / "mine")
    assert profile.segmentation.model_dump() == {"backend": "otsu", "ranges": "three", "slab_height": 32}
    assert (
        load_profile(folder / "base", {"segmentation.backend": "otsu"}).segmentation == profile.segmentation
    )


def test_a_profile_has_a_name_of_its_own(folder: Path) -> None:
    with pytest.raises(BadProfile, match=r"mine/profile.yaml: name: this key is needed"):
        load_profile(written(folder, "mine", "extends: base") / "mine")


def test_a_mistake_is_looked_for_where_it_was_made(folder: Path) -> None:
    written(folder, "base", BASE.replace("port: 1", "prot: 1"))
    written(folder, "mine", "extends: base\nname: mine\nstore: {urj: a}\n")
    with pytest.raises(BadProfile) as caught:
        load_profile(folder / "mine", {"frames.poll_s": -1})
    assert {line.split(": ")[0] for line in str(caught.value).splitlines()} == {
        f"{folder}/mine/profile.yaml, line 3",
        f"{folder}/base/profile.yaml, line 4",
        "override",
    }


@pytest.mark.parametrize(
    ("parent", "message"),
    [
        ("bsae", r"line 1: extends: no profile 'bsae'"),
        ("anatomx", r"line 1: extends: no profile 'anatomx'.*did you mean 'anatomix'\?"),
        ("../nothing", r"line 1: extends: no profile .*/nothing'"),
        ("[base]", r"line 1: extends: \['base'\] is neither a profile's name nor a path"),
        ("mine", r"line 1: extends: goes round in a circle .*; remove one 'extends'"),
        ("back", r"back/profile.yaml, line 1: extends: goes round in a circle"),
    ],
)
def test_a_parent_that_cannot_be_had_is_refused(folder: Path, parent: str, message: str) -> None:
    written(folder, "back", "extends: mine\nname: back\n")
    written(folder, "mine", f"extends: {parent}\nname: mine\n")
    with pytest.raises(BadProfile, match=message):
        load_profile(folder / "mine")


def test_overrides_stand_above_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    texts = ["web.port=3", "segmentation.bundle=tuned/model", "store.uri=http://h:1/?a=b", "ingest.prefix="]
    profile = load_profile("base", parse_overrides(texts))
    assert (profile.web.port, profile.web.host, profile.ingest.prefix) == (3, "0.0.0.0", "")
    assert profile.store.uri == "http://h:1/?a=b"
    assert profile.segmentation.bundle == folder / "tuned" / "model"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("k=1", 1),
        ("k = 1.5", 1.5),
        ("k=true", True),
        ("k=null", None),
        ("k=", ""),
        ("k='1'", "1"),
        ("k=a: b", "a: b"),
        ("k=@x", "@x"),
        ("k=2026-11-26", "2026-11-26"),
        ("k=2026-99-99", "2026-99-99"),
        ("k=[/data, 2]", ["/data", 2]),
        ("k={a: [1]}", {"a": [1]}),
        ("k=tcp://127.0.0.1:5578", "tcp://127.0.0.1:5578"),
    ],
)
def test_values_are_read_as_in_a_file(text: str, value: Any) -> None:
    read = parse_overrides([text])["k"]
    assert (read, type(read)) == (value, type(value))


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["store.uri"], "'store.uri' is not KEY=VALUE, such as"),
        (["=1"], "'=1' is not KEY=VALUE"),
        (["a=1", "a=2"], "'a=2': a has a value already, 1"),
        (["a=[1"], r"'a=\[1': not a list or mapping"),
        (["stor.uri=1"], "override: stor: unknown key; did you mean 'store'"),
        (["store.urj=1"], "override: store.urj: unknown key; did you mean 'uri'"),
        (["web.port=many"], "override: web.port: should be a valid integer, .*, not 'many'"),
        (["store..uri=1"], "override 'store..uri': a key is names with dots between"),
        (["web.port=1", "web.port.x=1"], "override web.port.x: port has a value already"),
        (["web.port.x=1", "web.port=1"], "override web.port: keys below it have values already"),
        (["documents.angles.0.key=a"], r"give all of documents.angles, as in documents.angles=\[...\]"),
        (["documents.files.root_map./a=/b"], r"documents.files.root_map=\{...\}"),
        (["reconstruction.method.device=cpu"], "override: reconstruction.method.backend: this key is needed"),
    ],
)
def test_wrong_overrides_are_refused(folder: Path, texts: list[str], message: str) -> None:
    with pytest.raises(BadProfile, match=message):
        load_profile(folder / "base", parse_overrides(texts))
