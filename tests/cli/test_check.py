"""Each thing that can be wrong is found on real parts, and what is well is green."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml

from streamlcn.cli import _check_compute as compute
from streamlcn.cli import _check_places as places
from streamlcn.cli import _check_servers as servers
from streamlcn.cli._check import _checks, _looked
from streamlcn.cli._finding import Subject
from streamlcn.profile import load_profile
from streamlcn.store import LocalTiled
from tests.cli.running import Outcome, call
from tests.servers import tiled_server

BUNDLE = Path(__file__).parents[2] / "profiles" / "anatomix" / "model"
KEY = "STREAMLCN_CHECK_TEST_KEY"


@pytest.fixture(scope="module")
def tiled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalTiled]:
    with tiled_server(tmp_path_factory.mktemp("tiled")) as server:
        yield server


@pytest.fixture(scope="module")
def proxy() -> Iterator[tuple[str, str]]:
    """The in and the out address of a real proxy."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "streamlcn.demo.proxy"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    entrance, exit_ = process.stdout.readline().split()
    yield entrance, exit_
    process.terminate()
    process.wait()
    process.stdout.close()


def profile_in(folder: Path, **more: Any) -> Path:
    """A profile on which nothing is red but what ``more`` brings."""
    content = {
        "name": "bench",
        "ingest": {"state_dir": str(folder / "state"), "journal": {"min_free_gb": 0, "keep_gb": 0.001}},
        "reconstruction": {"method": {"backend": "fbp", "device": "cpu"}},
        "segmentation": {"backend": "sensor3d", "bundle": str(BUNDLE), "device": "cpu"},
        "store": {"backend": "memory"},
        **more,
    }
    path = folder / "profile.yaml"
    path.write_text(yaml.safe_dump(content), "utf-8")
    return path


def subject(
    folder: Path, overrides: dict[str, Any] | None = None, key: str | None = None, **more: Any
) -> Subject:
    return Subject(load_profile(profile_in(folder, **more), overrides), {KEY: key} if key else {})


def store(uri: str, **more: Any) -> dict[str, Any]:
    return {"uri": uri, "api_key_env": KEY, **more}


def states(outcome: Outcome) -> dict[str, str]:
    return {each["name"]: each["state"] for each in outcome.json["checks"]}


def free_port() -> int:
    """A port on which nobody listens now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_a_beamline_where_all_is_well(
    tmp_path: Path, tiled: LocalTiled, proxy: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY, tiled.api_key)
    path = profile_in(
        tmp_path,
        store=store(tiled.uri, root=["bench", "results"]),
        documents={"files": {"allowed_roots": [str(tmp_path)]}},
    )
    sha256 = json.loads((BUNDLE / "manifest.json").read_text("utf-8"))["weights_sha256"]
    words = ["check", path, "--set", f"ingest.address={proxy[1]}", "--set", f"segmentation.sha256={sha256}"]
    outcome = call(*words, "--json")
    assert outcome.status == 0, outcome.out
    found = states(outcome)
    assert list(found) == list(_checks())
    assert outcome.json["ok"] is True
    assert "red" not in found.values()
    for name in (
        "profile",
        "journal",
        "detector files",
        "proxy",
        "tiled",
        "tiled key",
        "tiled root",
        "model",
    ):
        assert found[name] == "green", outcome.out
    assert {found["clock"], found["reconstruction"]} == {"green"}
    assert not (tmp_path / "state").exists(), "a check makes nothing that stays"

    from tiled.client import from_uri

    client = from_uri(tiled.uri, api_key=tiled.api_key)
    assert list(client["bench/results"]) == []
    client.context.close()


def test_a_beamline_where_nothing_is_there_exits_with_1(tmp_path: Path) -> None:
    port = free_port()
    path = profile_in(tmp_path, store=store(f"http://127.0.0.1:{port}"))
    outcome = call("check", path, "--set", f"ingest.address=tcp://127.0.0.1:{port}")
    assert outcome.status == 1
    assert "✗ proxy" in outcome.out
    assert f"nothing listens at tcp://127.0.0.1:{port}" in outcome.out
    assert "→ start the proxy" in outcome.out
    assert "✗ tiled " in outcome.out
    assert f"set the environment variable {KEY}" in outcome.out
    assert outcome.err == ""


def test_a_wrong_profile_exits_with_2(tmp_path: Path) -> None:
    outcome = call("check", profile_in(tmp_path, telescope={}))
    assert outcome.status == 2
    assert "telescope" in outcome.err


def test_the_wrong_side_of_the_proxy(tmp_path: Path, proxy: tuple[str, str]) -> None:
    wrong = servers.check_proxy(subject(tmp_path, {"ingest.address": proxy[0]}))
    assert wrong.state == "red"
    assert "out side" in str(wrong.remedy)
    assert servers.check_proxy(subject(tmp_path, {"ingest.address": proxy[1]})).state == "green"


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:tcp", "tcp://127.0.0.1", "localhost:5578"])
def test_an_address_that_is_none(tmp_path: Path, address: str) -> None:
    found = servers.check_proxy(subject(tmp_path, {"ingest.address": address}))
    assert found.state == "red"
    assert address in found.text
    assert "tcp://HOST:PORT" in f"{found.text} {found.remedy}"


def test_something_that_does_not_speak_0mq(tmp_path: Path) -> None:
    with listening(_Clocked) as uri:
        found = servers.check_proxy(subject(tmp_path, {"ingest.address": uri.replace("http", "tcp")}))
    assert found.state == "red"
    assert "does not speak 0MQ" in found.text


def test_a_key_that_is_refused(tmp_path: Path, tiled: LocalTiled) -> None:
    one = subject(tmp_path, key="0" * 48, store=store(tiled.uri))
    key, root = servers.check_tiled_key(one), servers.check_tiled_root(one)
    assert servers.check_tiled(one).state == "green"
    assert (key.state, root.state) == ("red", "red")
    assert "refuses the key (401" in key.text
    assert KEY in str(key.remedy)
    assert "401" in root.text


def test_a_server_that_is_not_tiled(tmp_path: Path) -> None:
    with listening(_Clocked) as uri:
        found = servers.check_tiled(subject(tmp_path, store=store(uri)))
    assert found.state == "red"
    assert "unlike tiled" in found.text


def test_a_clock_that_is_off(tmp_path: Path) -> None:
    with listening(_Clocked) as uri:
        found = places.check_clock(subject(tmp_path, store=store(uri)))
    assert found.state == "amber"
    assert "+3600 s off" in found.text or "+3599 s off" in found.text or "+3601 s off" in found.text


def test_folders_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    one = subject(tmp_path, {"ingest.state_dir": str(tmp_path / "file" / "state"), "store.backend": "tiled"})
    for finding in (places.check_journal(one), places.check_spool(one)):
        assert finding.state == "red"
        assert "cannot be written to" in finding.text


def test_disks_that_are_nearly_full(tmp_path: Path) -> None:
    full = places.check_journal(subject(tmp_path, {"ingest.journal.min_free_gb": 1e9}))
    tight = places.check_journal(subject(tmp_path, {"ingest.journal.keep_gb": 1e9}))
    assert (full.state, tight.state) == ("red", "amber")
    assert "1e+09" in full.text
    assert places.check_journal(subject(tmp_path)).state == "green"


def test_detector_folders(tmp_path: Path) -> None:
    gone = {"files": {"allowed_roots": [str(tmp_path), "/gpfs/nowhere"]}}
    moved = {"files": {"allowed_roots": [str(tmp_path)], "root_map": {"D:/data": "/gpfs/elsewhere"}}}
    for documents, named in ((gone, "/gpfs/nowhere"), (moved, "/gpfs/elsewhere")):
        finding = places.check_roots(subject(tmp_path, documents=documents))
        assert finding.state == "red"
        assert named in finding.text
    assert places.check_roots(subject(tmp_path)).state == "green"


def test_the_port_of_the_live_page(tmp_path: Path) -> None:
    with listening(_Clocked) as uri:
        port = int(uri.rpartition(":")[2])
        assert places.check_web(subject(tmp_path, {"web.port": port})).state == "red"
    with listening(_Daemon) as uri:
        running = places.check_web(subject(tmp_path, {"web.port": int(uri.rpartition(":")[2])}))
    assert running.state == "amber"
    assert "a daemon runs there" in running.text
    assert places.check_web(subject(tmp_path, {"web.port": free_port()})).state == "green"


def test_models_that_do_not_fit(tmp_path: Path) -> None:
    assert compute.check_model(subject(tmp_path)).state == "amber", "its weights are not pinned"
    broken = tmp_path / "model"
    shutil.copytree(BUNDLE, broken)
    with (broken / "model.safetensors").open("ab") as file:
        file.write(b"\0")
    absent = tmp_path / "absent"
    absent.mkdir()
    for overrides, said in (
        ({"segmentation.sha256": "0" * 64}, "the profile asks for"),
        ({"segmentation.bundle": str(broken)}, "SHA-256"),
        ({"segmentation.bundle": str(absent)}, "is no model bundle"),
        ({"segmentation.backend": "unet", "segmentation.bundle": str(BUNDLE)}, "holds a sensor3d"),
    ):
        finding = compute.check_model(subject(tmp_path, overrides))
        assert finding.state == "red", overrides
        assert said in finding.text


def test_what_a_model_knows(tmp_path: Path) -> None:
    values = {"values": {"pixel_size_um": {"fallback": 1.2}}}
    assert compute.check_model_fit(subject(tmp_path)).state == "green"
    coarse = compute.check_model_fit(subject(tmp_path, documents=values))
    assert coarse.state == "amber"
    assert "the profile states 1.2 um" in coarse.text
    poreless = tmp_path / "model"
    shutil.copytree(BUNDLE, poreless)
    manifest = json.loads((poreless / "manifest.json").read_text("utf-8"))
    manifest["classes"] = ["background", "bone", "shade_off"]
    manifest["network"]["class_count"] = 3
    (poreless / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    assert compute.check_model_fit(subject(tmp_path, {"segmentation.bundle": str(poreless)})).state == "red"


@pytest.mark.parametrize("slower", [0.6, 4.4])
def test_bfloat16_that_is_only_imitated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, slower: float
) -> None:
    assert compute._bfloat16_takes() > 0
    monkeypatch.setattr(compute, "_bfloat16_takes", lambda: slower)
    finding = compute.check_device(subject(tmp_path, {"segmentation.precision": "bfloat16"}))
    assert ("set segmentation.precision to float32" in (finding.remedy or "")) == (slower > 1)


def test_devices_and_backends_that_are_not_here(tmp_path: Path) -> None:
    device = compute.check_device(subject(tmp_path, {"reconstruction.method.device": "cuda:99"}))
    assert device.state == "red"
    assert "cuda:99" in device.text
    method = {"method": {"backend": "tomopy", "python": str(tmp_path / "no-python")}}
    backend = compute.check_reconstruction(subject(tmp_path, reconstruction=method))
    assert backend.state == "red"
    assert "tomopy does not run" in backend.text
    assert compute.check_reconstruction(subject(tmp_path)).state == "green"


def test_a_reconstruction_that_is_wrong_is_not_called_well(tmp_path: Path) -> None:
    dark = {
        "correction": {"median_radius_px": 5},
        "method": {"backend": "fbp", "device": "cpu", "filter": "hann"},
    }
    assert compute.check_reconstruction(subject(tmp_path, reconstruction=dark)).state == "green"


def test_a_check_that_crashes_is_red_and_the_others_go_on(tmp_path: Path) -> None:
    def crash(_: Subject) -> Any:
        raise ZeroDivisionError("nobody thought of this")

    finding = _looked(crash, subject(tmp_path))
    assert finding.state == "red"
    assert "ZeroDivisionError: nobody thought of this" in finding.text


class _Clocked(BaseHTTPRequestHandler):
    """Answers anything, an hour late."""

    def do_GET(self) -> None:
        self.send_response_only(200)
        self.send_header("Date", formatdate(time.time() - 3600, usegmt=True))
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class _Daemon(_Clocked):
    """Answers as the live page's status does."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/api/status" else 404)
        self.end_headers()
        self.wfile.write(b'{"porosity_band": [0.01, 0.04]}')


@contextmanager
def listening(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
