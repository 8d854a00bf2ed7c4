"""Scans are found by what their results say, and found again while they get new ones."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from streamlcn.errors import BadInput
from streamlcn.store import FoundRun, LocalTiled, StoreSettings, TiledStore, find_runs, parse_query
from tests.store.contract import a_scan

ROOT = ("campaign",)
RESULTS = [  # uid, recipe, status, profile, porosity; in the order in which they were filed
    ("one", "old", "complete", "here", 0.02),
    ("two", "old", "complete", "here", 0.04),
    ("two", "new", "complete", "there", 0.05),
    ("three", "old", "partial", "here", 0.03),
    ("four", "new", "complete", "there", 0.01),
]


@contextmanager
def quietly() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside tiled's client
        yield


@pytest.fixture(scope="module")
def settings(tiled: LocalTiled) -> StoreSettings:
    found = StoreSettings(uri=tiled.uri, root=ROOT)
    with closing(TiledStore(found, tiled.api_key)) as store:
        for uid, recipe, status, profile, porosity in RESULTS:
            with store.open(a_scan(uid), recipe, {"profile": profile}) as result:
                result.commit(status, {"lcn": {"porosity": porosity}, "ood": {"flag": False}})
    return found


def search(settings: StoreSettings, key: str, query: str) -> dict[str, FoundRun]:
    with quietly():
        return {run.uid: run for run in find_runs(settings, key, parse_query(query), "new")}


def test_what_is_done_already_is_found_with_its_old_result(
    settings: StoreSettings, tiled: LocalTiled
) -> None:
    found = search(settings, tiled.api_key, "status=complete,profile=here")
    assert found.keys() == {"one", "two"}
    assert found["one"].new is None
    assert found["two"].new is not None
    assert found["two"].old["lcn"]["porosity"] == 0.04


@pytest.mark.parametrize(
    ("query", "uids"),
    [
        ("lcn.porosity>0.025", {"two", "three"}),
        ("lcn.porosity <= 0.02, ood.flag=false", {"one", "four"}),
        ("status!=complete", {"three"}),
        ("profile=there", {"four"}),
        ("profile=nowhere", set()),
        ("no.such.key=1", set()),
    ],
)
def test_conditions(settings: StoreSettings, tiled: LocalTiled, query: str, uids: set[str]) -> None:
    assert search(settings, tiled.api_key, query).keys() == uids


@pytest.mark.parametrize("query", ["", "status", "status==", "=complete", "status=complete,", "a={"])
def test_a_query_that_is_none_is_refused(query: str) -> None:
    with pytest.raises(BadInput):
        parse_query(query)


def test_an_empty_server_is_said(tiled: LocalTiled) -> None:
    nothing: Any = StoreSettings(uri=tiled.uri, root=("nothing",))
    with quietly(), pytest.raises(BadInput, match="has nothing under nothing"):
        find_runs(nothing, tiled.api_key, parse_query("status=complete"), "new")
