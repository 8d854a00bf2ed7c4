"""The live page in a real Chromium."""

from __future__ import annotations

import pytest
from browser import MISSING, open_browser
from pixel import DOT

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}")

TEXT = "document.getElementById('{}').textContent"
SENTENCE = TEXT.format("sentence")


@pytest.fixture(scope="module")
def browser():
    with open_browser() as browser:
        yield browser


def tone(browser):
    return browser.run("return document.getElementById('banner').dataset.tone")


def test_a_scan_from_waiting_to_stale(daemon, browser):
    browser.open(daemon.url)
    browser.wait_for(f"{SENTENCE}.includes('not subscribed')")
    daemon.say(event="ingest", connected=True)
    daemon.say(event="model", name="sensor3d-small", sha256="9f2c4b77")
    browser.wait_for(f"{SENTENCE}.includes('waiting for a scan')")
    daemon.scan("acquiring", 60)
    daemon.say(event="morphometry", provisional=True, values={"lcn": {"porosity": 0.031}})
    daemon.say(event="preview", plane="xy", kind="reconstruction", png=DOT, provisional=True, received=60)
    daemon.say(event="beat", stage="reconstruct")
    browser.wait_for(f"{SENTENCE} === 'Scan running: 60 of 120 projections, none missing'")
    browser.wait_for("document.querySelector('figure[data-plane=xy] .grey').naturalWidth === 1")
    assert tone(browser) == "good"
    assert browser.run(f"return {TEXT.format('porosity')}") == "3.10 %"
    assert browser.run(f"return {TEXT.format('porosity-badge')}") == "provisional"
    assert browser.run("return document.querySelector('#stages li.busy b').textContent") == "reconstruct"
    assert browser.run("return document.querySelector('#bar i').style.width") == "50%"
    daemon.scan("acquiring", 90, missing=4)
    browser.wait_for(f"{SENTENCE}.includes('4 missing')")
    assert tone(browser) == "warn"
    daemon.scan("complete", 120)
    daemon.say(event="morphometry", provisional=False, values={"lcn": {"porosity": 0.0212}})
    daemon.say(event="result", uid="3f2a9c11", status="complete", uri="http://localhost:8000/x",
               porosity=0.0212, completeness=1.0, seconds_after_last_projection=3.4)  # fmt: skip
    browser.wait_for(f"{SENTENCE}.startsWith('Complete: porosity 2.12 %, readable 3.4 s')")
    assert browser.run(f"return {TEXT.format('porosity-badge')}") == "final"
    assert browser.run("return document.querySelector('#results td a').href") == "http://localhost:8000/x"
    daemon.say(event="ood", score=0.98, flag=True)
    browser.wait_for(f"{SENTENCE}.includes('do not trust')")
    assert tone(browser) == "warn"
    assert browser.complaints() == []
    daemon.server.stop()
    browser.wait_for(f"{SENTENCE}.startsWith('STALE')")
    assert tone(browser) == "bad"
    browser.complaints()  # the stream that ended


def test_what_the_service_says_is_text_never_markup(daemon, browser):
    browser.open(daemon.url)
    evil = "<img src=x onerror=document.title='owned'>"
    daemon.scan("acquiring", 1, sample=evil, plan=evil)
    daemon.say(event="warning", text=evil, level="error", runbook="store")
    daemon.say(event="result", uid="x", status="complete", uri="javascript:alert(1)")
    daemon.say(event="model", name=evil)
    browser.wait_for("document.querySelector('#warnings b.error')")
    browser.wait_for("document.querySelector('#results td.complete')")
    assert browser.run("return document.querySelectorAll('#results a, main img[src=x]').length") == 0
    assert (
        browser.run("return document.querySelector('#warnings a').getAttribute('href')") == "/runbook#store"
    )
    assert browser.complaints() == []


@pytest.mark.parametrize(("width", "height"), [(1280, 1000), (390, 840)])
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_it_fits_the_screen_in_both_schemes(daemon, browser, width, height, scheme):
    browser.size(width, height, is_phone=width < 500)
    browser.colour_scheme(scheme)
    browser.open(daemon.url)
    daemon.scan("acquiring", 60, sample="zebrafish bone 12")
    browser.wait_for(f"{SENTENCE}.startsWith('Not ready') || {SENTENCE}.startsWith('Scan')")
    assert browser.run("return document.documentElement.scrollWidth <= innerWidth")
    shade = browser.run("return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)")
    assert (sum(shade[:3]) < 120) == (scheme == "dark")
    assert browser.picture().startswith(b"\x89PNG")
