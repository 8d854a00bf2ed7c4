"""What is made from the settings and committed is fresh, and an editor accepts the shipped profiles."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import yaml

from streamlcn.profile import profile_schema
from streamlcn.profile.__main__ import PAGES, main

ROOT = Path(__file__).parents[2]
PROFILES = sorted((ROOT / "profiles").glob("*/profile.yaml"))


@pytest.mark.parametrize(
    ("page", "file"), [("schema", "profiles/profile.schema.json"), ("keys", "docs/profile-keys.md")]
)
def test_committed_pages_are_fresh(page: str, file: str) -> None:
    fresh = (ROOT / file).read_text("utf-8") == PAGES[page]()
    assert fresh, f"{file} is stale: python -m streamlcn.profile {page} > {file}"


def test_the_command_writes_a_page_and_refuses_others(capsys: pytest.CaptureFixture[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "streamlcn.profile", "schema"], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == profile_schema()
    assert main(["schemata"]) == 2
    assert "docs/profile-keys.md" in capsys.readouterr().err


@pytest.mark.parametrize("file", PROFILES, ids=lambda file: file.parent.name)
def test_editors_accept_shipped_profiles(file: Path) -> None:
    text = file.read_text("utf-8")
    assert text.startswith("# yaml-language-server: $schema=../profile.schema.json\n")
    validator = jsonschema.Draft202012Validator(profile_schema())
    assert [error.message for error in validator.iter_errors(yaml.safe_load(text))] == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "x"},
        {"name": "x", "segmentation": {"backend": "otsu"}, "stor": {}},
        {"name": "x", "segmentation": {"backend": "ots"}},
        {"name": "x", "segmentation": {"slab_height": 8}},
        {"name": "x", "extends": "anatomix", "web": {"port": "a"}},
        {"name": "x", "extends": "anatomix", "documents": {"detector": "detector"}},
    ],
)
def test_editors_mark_mistakes(wrong: dict[str, object]) -> None:
    assert not jsonschema.Draft202012Validator(profile_schema()).is_valid(wrong)


def test_every_key_has_a_description_and_is_in_the_table() -> None:
    table = PAGES["keys"]()
    sections = [profile_schema(), *profile_schema()["$defs"].values()]
    keys = {
        key: node
        for one in sections
        for key, node in one.get("properties", {}).items()
        if "const" not in node
    }
    assert [key for key, node in keys.items() if not ("description" in node or "$ref" in node)] == [
        "segmentation",
        "method",
    ]
    assert [key for key in keys if f"| `{key}` |" not in table and f"{key}`" not in table] == []
