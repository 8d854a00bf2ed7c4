"""What packages offer, and what importing them costs."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from types import ModuleType

import pytest

from tests.house.repository import ROOT


def _modules(name: str) -> list[str]:
    """Return the dotted names of the house's modules in files called ``name``."""
    paths = sorted((ROOT / "streamlcn").rglob(name))
    return [
        ".".join(path.with_suffix("").relative_to(ROOT).parts).removesuffix(".__init__") for path in paths
    ]


PACKAGES = _modules("__init__.py")
LIGHT = ["streamlcn", *_modules("settings.py")]
HEAVY = ("torch", "zmq", "tiled", "numba", "skimage", "matplotlib", "bluesky")


def _rank(name: str) -> tuple[int, str]:
    """Return the order that ruff writes: constants, classes, functions."""
    return (0 if name.isupper() else 1 if name[0].isupper() else 2, name)


def _offers(package: ModuleType) -> list[str]:
    """Return the public names that a package holds of the house's own."""
    return [
        name
        for name, value in vars(package).items()
        if not name.startswith("_") and str(getattr(value, "__module__", "")).startswith("streamlcn.")
    ]


@pytest.mark.parametrize("name", PACKAGES)
def test_what_a_package_says_it_offers_is_there(name: str) -> None:
    package = importlib.import_module(name)
    said: list[str] = getattr(package, "__all__", [])
    assert [one for one in said if not hasattr(package, one)] == []
    assert said == sorted(set(said), key=_rank)
    assert sorted(set(_offers(package)) - set(said)) == [], "offered, but not in __all__"


def test_settings_load_nothing_heavy() -> None:
    script = (
        "import importlib, json, sys\n"
        "seen = {}\n"
        f"for name in {LIGHT!r}:\n"
        "    importlib.import_module(name)\n"
        f"    seen[name] = sorted(set({HEAVY!r}) & set(sys.modules))\n"
        "print(json.dumps(seen))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    loaded = {name: modules for name, modules in json.loads(run.stdout).items() if modules}
    assert loaded == {}, f"the first of these loads it: {next(iter(loaded))}"
    assert len(LIGHT) > 8
