"""Pages that are made are fresh, and no page is left out of the navigation."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def test_the_page_of_telemetry_is_fresh() -> None:
    written = subprocess.check_output([sys.executable, DOCS / "telemetry.py"], text=True)
    assert written == (DOCS / "telemetry.md").read_text("utf-8"), (
        "python docs/telemetry.py > docs/telemetry.md"
    )


def test_every_page_is_in_the_navigation() -> None:
    def leaves(entry: object) -> list[str]:
        if isinstance(entry, str):
            return [entry]
        parts = entry.values() if isinstance(entry, dict) else entry
        return [leaf for part in parts for leaf in leaves(part)]  # type: ignore[union-attr]

    named = leaves(yaml.safe_load((ROOT / "mkdocs.yml").read_text("utf-8"))["nav"])
    pages = [
        path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md") if path.parent.name != "decisions"
    ]
    assert sorted(set(pages) - set(named)) == []
    assert sorted(set(named) - set(pages)) == ["runbook.md"], "docs/hooks.py takes it from deploy/"
