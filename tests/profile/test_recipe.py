"""A recipe's name changes with all that determines a result, and with nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest
from leaves import Leaf, leaves

from streamlcn.profile import NOT_IN_RECIPE, Profile, load_profile, make_recipe

LEAVES = leaves()
SHA = "c" * 64


def is_excluded(leaf: Leaf) -> bool:
    """Whether the key, or a section above it, is one of those that are named as irrelevant."""
    return bool(set(_above(leaf.name)) & NOT_IN_RECIPE)


def _above(name: str) -> Iterator[str]:
    """Yield a key and all sections above it, those with a choice also without its tag."""
    parts = name.split(".")
    for length in range(1, len(parts) + 1):
        above = ".".join(parts[:length])
        yield above
        yield re.sub(r"\[\w+\]$", "", above)


def test_the_walk_finds_keys_of_all_kinds() -> None:
    names = {leaf.name for leaf in LEAVES}
    assert len(LEAVES) > 100
    assert {
        "name",
        "web.port",
        "ingest.journal.fsync",
        "documents.angles[monitor].times_key",
        "documents.values.pixel_size_um.fallback",
        "reconstruction.method[tomopy].python",
        "segmentation[otsu].ranges",
    } <= names


def test_what_a_recipe_leaves_out_exists() -> None:
    assert {above for leaf in LEAVES for above in _above(leaf.name)} >= NOT_IN_RECIPE


@pytest.mark.parametrize("leaf", LEAVES, ids=lambda leaf: leaf.name)
def test_a_key_moves_the_name_unless_it_is_left_out(leaf: Leaf) -> None:
    one, other = (Profile.model_validate(leaf.profile(value)) for value in leaf.two_values())
    assert one != other
    assert (make_recipe(one, SHA).hash == make_recipe(other, SHA).hash) == is_excluded(leaf)


@pytest.mark.parametrize(
    ("name", "is_left_out"),
    [
        ("documents.files.allowed_roots", True),
        ("documents.files.resource_datasets", False),
        ("documents.idle_timeout_s", True),
        ("documents.values.pixel_size_um.scale", False),
        ("documents.angles[event].offset", False),
        ("documents.references.sources", False),
        ("frames.timeout_s", True),
        ("reconstruction.method[fbp].device", True),
        ("reconstruction.method[fbp].filter", False),
        ("reconstruction.method[tomopy].device", False),  # another algorithm on each device
        ("reconstruction.centre.tolerance_px", False),
        ("segmentation[sensor3d].bundle", True),
        ("segmentation[otsu].ranges", False),
        ("morphometry.lacuna_thickness_um", False),
        ("store.uri", True),
        ("compute[dask].slab_rows", True),
    ],
)
def test_what_was_decided(name: str, is_left_out: bool) -> None:
    (leaf,) = (leaf for leaf in LEAVES if leaf.name == name)
    assert is_excluded(leaf) == is_left_out


def test_weights_count_by_what_they_are() -> None:
    profile = load_profile("anatomix")
    pinned = load_profile("anatomix", {"segmentation.sha256": SHA})
    assert make_recipe(profile, SHA) == make_recipe(pinned, SHA)
    assert make_recipe(profile, SHA).hash != make_recipe(profile, "d" * 64).hash
    assert make_recipe(profile, SHA).values["segmentation"]["sha256"] == SHA


def test_the_version_of_the_code_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    profile = load_profile("anatomix")
    now = make_recipe(profile, SHA)
    monkeypatch.setattr("streamlcn.__version__", "99.0", raising=False)
    assert make_recipe(profile, SHA).hash != now.hash


def test_defaults_count_as_if_they_were_written() -> None:
    written = load_profile("anatomix", {"morphometry.lacuna_thickness_um": 1.0})
    assert make_recipe(written, SHA) == make_recipe(load_profile("anatomix"), SHA)


def test_values_are_json_and_the_name_is_short() -> None:
    recipe = make_recipe(load_profile("anatomix"), SHA)
    assert json.loads(json.dumps(recipe.values)) == recipe.values
    assert len(recipe.hash) == 16
    assert set(recipe.hash) <= set("0123456789abcdef")
