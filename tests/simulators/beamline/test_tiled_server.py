"""The scan command plays a run from a tiled server in a process of its own."""

from __future__ import annotations

import copy
import os
import re
import subprocess
import sys
import warnings

import numpy as np
import pytest
from listening import SMALL, Reader, decoded

pytestmark = pytest.mark.slow

_CONFIGURATION = """
authentication: {{single_user_api_key: "SECRET", allow_anonymous_access: false}}
trees:
  - path: /
    tree: catalog
    args:
      uri: "sqlite:///{folder}/catalog.db"
      init_if_not_exists: true
      writable_storage: ["{folder}/data", "sqlite:///{folder}/tables.db"]
      readable_storage: ["{folder}/raw"]
uvicorn: {{host: 127.0.0.1, port: 0}}
"""


@pytest.fixture
def server(tmp_path):
    """Start a tiled server; returns its address."""
    for name in ("data", "raw"):
        (tmp_path / name).mkdir()
    (tmp_path / "tiled.yml").write_text(_CONFIGURATION.format(folder=tmp_path))
    command = [sys.executable, "-m", "tiled", "serve", "config", str(tmp_path / "tiled.yml")]
    with subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "200"},
    ) as process:
        assert process.stderr is not None
        try:
            lines = iter(process.stderr.readline, "")
            told = (
                re.search(r"running on \S*?(http://[\d.:]+)", line) for line in lines
            )  # perhaps in colour
            yield next(found[1] for found in told if found)
        finally:
            process.kill()


def test_a_run_goes_into_a_server_and_comes_out_of_the_camera(server, scan, listener, tmp_path, monkeypatch):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside tiled, at import
        from bluesky_tiled_plugins import TiledWriter
        from tiled.client import from_uri

    told = scan(*SMALL, "--assets", "stream", "--data-dir", str(tmp_path / "raw"))
    raw = [decoded(message, "pickle") for message in listener.messages_until_stops(told["uids"])]
    catalogue = from_uri(server, api_key="SECRET")
    writer = TiledWriter(catalogue, batch_size=1)
    for name, document in copy.deepcopy(raw):
        writer(name, document)
    catalogue.context.http_client.close()
    monkeypatch.setenv("KEY_OF_TILED", "SECRET")
    options = ("--from-tiled", server, "--run", told["uids"][0], "--tiled-key", "KEY_OF_TILED")
    told = scan(*options, "--plan", "htss")
    played = Reader([decoded(message, "pickle") for message in listener.messages_until_stops(told["uids"])])
    first = Reader(raw)
    for was, now in (("dark", "darks"), ("flat", "flats"), ("primary", "primary")):
        np.testing.assert_array_equal(
            np.stack(played.streams[now].pixels), np.stack(first.streams[was].pixels)
        )
    assert played.starts[0]["plan_name"] == "tomography_scan"
