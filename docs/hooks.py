"""Beside what mkdocs does: list decisions, take the runbook in, look after links that leave docs/."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
RUNBOOK = "deploy/RUNBOOK.md"

_log = logging.getLogger("mkdocs.hooks.links")
_LINK = re.compile(r"\[([^\]]+)\]\((\.\.?/[^)\s#]*)(#[^)\s]*)?\)")


def on_config(config: Any) -> Any:
    """List the decisions in the navigation, in their order."""
    folder = Path(config["docs_dir"]) / "decisions"
    pages = ["decisions/README.md", *(f"decisions/{path.name}" for path in sorted(folder.glob("0*.md")))]
    for entry in config["nav"]:
        if "Decisions" in entry:
            entry["Decisions"] = pages
    return config


def on_files(files: Files, config: Any) -> Files:
    """Add the runbook, which lies with what is deployed."""
    files.append(File.generated(config, "runbook.md", content=(ROOT / RUNBOOK).read_text("utf-8")))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """Lead links to the runbook to its page; of other links that leave docs/ keep the text and the path.

    A path that is not in the repository is a warning, and so an error.
    """
    source = page.file.abs_src_path
    here = Path(source).parent if source else ROOT / "deploy"
    docs = Path(config["docs_dir"])

    def lead(found: re.Match[str]) -> str:
        text, link, anchor = found[1], found[2], found[3] or ""
        target = (here / link).resolve()
        if target.is_relative_to(docs):
            return found[0]
        if target == ROOT / RUNBOOK:
            up = "../" * len(here.relative_to(docs).parts)
            return f"[{text}]({up}runbook.md{anchor})"
        if not target.exists():
            _log.warning("%s: the link to %s leads nowhere", page.file.src_uri, link)
        path = target.relative_to(ROOT) if target.is_relative_to(ROOT) else target
        return f"{text} (`{path}`)" if text.strip("`") != str(path) else f"`{path}`"

    return _LINK.sub(lead, markdown)
