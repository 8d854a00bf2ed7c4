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


def test_slices_bounds_lag_gauge_and_cards_are_shown(daemon, browser):
    browser.open(daemon.url)
    browser.complaints()  # of the page before, whose server is gone
    daemon.say(event="ingest", connected=True)
    daemon.say(event="model", name="sensor3d-small", sha256="9f2c4b77")
    for received, kinds in ((30, ("reconstruction", "labels")), (60, ("reconstruction",))):
        daemon.scan("acquiring", received)
        for plane in ("xy", "xz", "yz"):
            for kind in kinds:
                daemon.say(event="preview", plane=plane, kind=kind, png=DOT, provisional=True,
                           received=received, z=7 if plane == "xy" else None)  # fmt: skip
    for porosity in (0.02, 0.03):
        daemon.say(event="morphometry", provisional=True, values={"lcn": {"porosity": porosity}},
                   porosity_low=porosity - 0.01, porosity_high=porosity + 0.01)  # fmt: skip
    daemon.say(event="lag", documents=12, seconds=45)
    daemon.say(event="level", what="gpu_memory_used_bytes", value=12.5e9, labels={"gpu": "0"})
    daemon.say(event="level", what="gpu_memory_total_bytes", value=80e9, labels={"gpu": "0"})
    browser.wait_for(f"{TEXT.format('devices')} === 'GPU 0: 12.5 of 80 GB'")
    assert browser.run(f"return {SENTENCE}").endswith("none missing, 45 s behind")
    assert tone(browser) == "warn"
    captions = "return [...document.querySelectorAll('figcaption')].map((node) => node.textContent)"
    told = "from 60 projections, labels from 30"
    assert browser.run(captions) == [f"xy slice 7, {told}", f"xz {told}", f"yz {told}"]
    laid_over = "return document.querySelectorAll('img.labels:not([hidden])').length"
    assert browser.run(laid_over) == 3, "labels stay until there are newer ones"
    assert browser.run(f"return {TEXT.format('porosity-note')}").startswith(
        "between 2.00 % and 4.00 %; within"
    )
    assert browser.run("return document.querySelectorAll('#porosity-plot .bar').length") == 2
    assert "12 wait for the worker" in browser.run("return document.querySelector('#stages li').textContent")
    assert browser.run("return document.getElementById('ood-gauge').hasAttribute('hidden')")
    slider = (
        "const s = document.getElementById('opacity'); s.value = 20; s.dispatchEvent(new Event('input'));"
    )
    opacity = "return document.querySelector('img.labels').style.opacity"
    assert browser.run(slider + opacity) == "0.2"
    daemon.say(event="preview", plane="xy", kind="reconstruction", png=DOT, provisional=False, received=120)
    daemon.say(event="ood", score=0.5, flag=False)
    browser.wait_for("!document.getElementById('ood-gauge').hasAttribute('hidden')")
    assert browser.run(laid_over) == 2, "provisional labels are not laid over the final slice"
    daemon.say(event="centre", pixels=60.0, stderr_pixels=1.2, state="final")
    daemon.scan("complete", 120)
    browser.wait_for(
        f"{SENTENCE} === 'Complete, but the centre of rotation is known to 1.2 px only: look at the slices'"
    )
    assert tone(browser) == "warn"
    assert browser.complaints() == []


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
