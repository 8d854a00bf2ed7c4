"""The profiles that come with the code: each is whole, and says what its beamline is an example of.

That the documents of real devices become scans by them is tested in tests/documents/test_plans.py.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from streamlcn.profile import Profile, load_profile, make_recipe, profile_names

FOLDER = Path(__file__).parents[2] / "profiles"
NAMES = sorted(file.parent.name for file in FOLDER.glob("*/profile.yaml"))


def test_the_shipped_profiles_are_known_by_name() -> None:
    assert NAMES == ["anatomix", "fxi", "hex", "htss", "p05"]
    assert set(NAMES) <= set(profile_names())


@pytest.mark.parametrize("name", NAMES)
def test_each_is_whole_and_stays_on_this_machine(name: str) -> None:
    profile = load_profile(FOLDER / name)
    assert profile.name == name
    assert profile.description
    assert (FOLDER / name / profile.segmentation.bundle / "manifest.json").is_file()  # type: ignore[union-attr]
    assert profile.documents.files.allowed_roots
    assert all(root.is_absolute() and root != Path("/") for root in profile.documents.files.allowed_roots)
    assert "localhost" in profile.store.uri
    assert "localhost" in profile.ingest.address
    assert profile.web.host == "127.0.0.1"
    assert make_recipe(profile, "a" * 64).hash


def test_what_they_are_examples_of() -> None:
    def of(name: str) -> Profile:
        return load_profile(FOLDER / name)

    assert of("p05").extends == "anatomix"
    for_documents = [of(name).documents.model_dump(exclude={"files"}) for name in ("p05", "anatomix")]
    assert for_documents[0] == for_documents[1]
    assert of("p05").segmentation.bundle == FOLDER / "p05" / "model"  # type: ignore[union-attr]
    assert of("fxi").documents.references.flats == "after"
    assert of("fxi").documents.angles[0].kind == "monitor"
    assert of("hex").documents.references.sources == ("linked",)
    assert of("hex").documents.runs.references is not None
    assert of("htss").documents.angles[0].kind == "event"


def test_the_first_use_of_the_package_is_light() -> None:
    script = (
        "import sys, streamlcn\n"
        "early = {'pydantic', 'numpy', 'yaml'} & set(sys.modules)\n"
        "streamlcn.load_profile('anatomix')\n"
        "late = {'torch', 'zmq', 'tiled', 'numba', 'scipy', 'h5py', 'matplotlib'} & set(sys.modules)\n"
        "print(early, late)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "set() set()\n"
