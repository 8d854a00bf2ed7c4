"""Take the picture of the live page in docs/: start a scan, then

    python -m docs.figures.live_page http://127.0.0.1:PORT [docs/figures/live-page.png]

It watches the page in a headless Chromium and takes the picture when the scan's result is in the table.
`streamlcn demo` prints the address of its page; so does `streamlcn run`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.web.browser import open_browser

WIDTH, PATIENCE_S = 1280, 55.0
RESULT = "document.querySelector('#results td.complete, #results td.partial')"
LOADED = "[...document.querySelectorAll('img:not([hidden])')].every((i) => i.complete && i.naturalWidth)"


def main(url: str, path: Path, scheme: str = "dark") -> None:
    """Wait for a result and save the page as a PNG."""
    with open_browser() as browser:
        browser.colour_scheme(scheme)
        browser.devtools("Emulation.setScrollbarsHidden", {"hidden": True})
        browser.size(WIDTH, 600)
        browser.open(url)
        while not browser.run(f"return Boolean({RESULT})"):
            try:
                browser.wait_for(RESULT, timeout_s=PATIENCE_S)
            except AssertionError:
                print(browser.run("return document.getElementById('sentence').textContent"))
        browser.wait_for(LOADED)
        browser.size(WIDTH, browser.run("return document.documentElement.scrollHeight"))
        path.write_bytes(browser.picture())


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2] if len(sys.argv) > 2 else "docs/figures/live-page.png"))
