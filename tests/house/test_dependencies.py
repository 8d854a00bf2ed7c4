"""Each dependency is declared, explained, pinned and used."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.house.repository import ROOT, python_files

PAGE = ROOT / "docs" / "decisions" / "0002-dependencies.md"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
DECLARED = {"dependencies": PROJECT["dependencies"], **PROJECT["optional-dependencies"]}
TESTED = ("dependencies", "demo", "dev")  # what `make` installs; other extras are for those who want them
OURS = {"streamlcn", "simulators", "tests"}
BACKENDS = {"astra", "distributed", "tomopy", "triton"}  # a profile may name them; installed by those who do
NEVER_IMPORTED = {
    "distributed",
    "import-linter",
    "mypy",
    "pytest-timeout",
    "pytest-xdist",
    "ruff",
    "triton",
    "types-pyyaml",
}  # they are run


def _names(group: str) -> set[str]:
    return {canonicalize_name(Requirement(line).name) for line in DECLARED[group]}


def _explained(group: str) -> list[str]:
    """Return the first cells of the table below the heading that names ``group``."""
    section = next(part for part in PAGE.read_text("utf-8").split("\n## ") if f"(`{group}`)" in part)
    rows = re.findall(r"^\| ([\w-]+) \| ", section.split("**Alternatives.**")[0], re.M)
    return [row for row in rows if row != "package"]


def _imported(files: list[Path]) -> set[str]:
    """Return the distributions that ``files`` import, by top-level name."""
    found: set[str] = set()
    for path in files:
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
                found.add(node.module.partition(".")[0])
    neighbours = {path.stem for path in files}
    foreign = found - OURS - BACKENDS - neighbours - set(sys.stdlib_module_names)
    homes = packages_distributions()
    return {canonicalize_name(homes[name][0]) if name in homes else f"{name}?" for name in foreign}


@pytest.mark.parametrize("group", DECLARED)
def test_every_dependency_has_its_reason_and_every_reason_its_dependency(group: str) -> None:
    explained = _explained(group)
    assert explained == sorted(explained)
    assert set(explained) == _names(group)


def test_every_dependency_is_pinned_within_its_bounds() -> None:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = {canonicalize_name(r.name): r.specifier for r in map(Requirement, filter(_is_pin, lines))}
    for requirement in (Requirement(line) for group in TESTED for line in DECLARED[group]):
        (pin,) = pins[canonicalize_name(requirement.name)]
        assert pin.operator == "=="
        assert Version(pin.version) in requirement.specifier, requirement
        assert Version(pin.version).local is None, f"{requirement}: a build tag ties it to one platform"


def _is_pin(line: str) -> bool:
    return bool(line) and not line.startswith("#")


def test_what_is_imported_is_declared_and_what_is_declared_is_imported() -> None:
    house = _imported([path for path in python_files("streamlcn") if "demo" not in path.parts])
    stage = _imported([*python_files("simulators"), *python_files("streamlcn/demo")])
    hands = _imported([*python_files("tests"), *python_files("docs")])
    run, demo, dev = (_names(group) for group in TESTED)
    assert house - run == set(), "the daemon and its commands import these"
    assert stage - run - demo == set(), "the demonstration imports these"
    assert hands - run - demo - dev == set(), "tests and figures import these"
    assert run - house == set(), "never imported by the daemon and its commands"
    assert demo - stage == set(), "never imported by the demonstration"
    assert dev - hands - NEVER_IMPORTED == set(), "never imported by tests"
