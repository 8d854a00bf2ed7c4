"""The runbook as a page, so that its links work where nothing but the daemon can be reached."""

from __future__ import annotations

import re
from html import escape

__all__ = ["anchor", "runbook_page"]

_FRAME = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    '<title>streamlcn runbook</title><link rel="stylesheet" href="/page/live.css">'
    '<main class="runbook"><p><a href="/">← live page</a></p>{body}</main></html>'
)


def anchor(title: str) -> str:
    """Return the anchor of a heading, as GitHub makes it."""
    return re.sub(r"[^a-z0-9 -]", "", title.lower()).strip().replace(" ", "-")


def runbook_page(markdown: str) -> str:
    """Return HTML of the small Markdown the runbook keeps to: headings, lists, paragraphs, indented code."""
    blocks = [block for block in markdown.split("\n\n") if block.strip()]
    return _FRAME.format(body="\n".join(_block(block.strip("\n")) for block in blocks))


def _block(block: str) -> str:
    heading = re.fullmatch(r"(#{1,3}) (.+)", block)
    if heading:
        level, title = len(heading[1]), heading[2]
        return f'<h{level} id="{anchor(title)}">{_inline(title)}</h{level}>'
    lines = block.split("\n")
    if all(line.startswith("    ") for line in lines):
        return "<pre>" + escape("\n".join(line[4:] for line in lines)) + "</pre>"
    for mark, tag in ((r"- ", "ul"), (r"\d+\. ", "ol")):
        if re.match(mark, lines[0]):
            items = re.split(rf"\n(?={mark})", block)
            inner = "".join(f"<li>{_inline(re.sub(mark, '', item, count=1))}</li>" for item in items)
            return f"<{tag}>{inner}</{tag}>"
    return f"<p>{_inline(block)}</p>"


def _inline(text: str) -> str:
    text = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text, quote=False))
    text = re.sub(r"\*\*([^*]+)\*\*", r"<b>\1</b>", text)
    return re.sub(r"\[([^\]]+)\]\((#[a-z0-9-]+)\)", r'<a href="\2">\1</a>', text)
