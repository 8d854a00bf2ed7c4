"""Starts everything as separate processes, runs one scan, reads the result back."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from streamlcn.demo._figure import save_summary
from streamlcn.demo._processes import Child, ChildDied, Children, started
from streamlcn.demo._progress import ScanProgress
from streamlcn.demo._read_back import ReadBack, read_back
from streamlcn.demo._report import Comparison, compare
from streamlcn.demo._status import Status
from streamlcn.model import Label
from streamlcn.morphometry import MorphometryParameters
from streamlcn.store import LocalTiled, start_local_tiled

__all__ = ["DemoResult", "run_demo"]

_PATIENCE_S = {"tiny": 300.0, "small": 300.0, "medium": 900.0, "paper": 5400.0}
_BINNING = {"tiny": 3, "small": 2, "medium": 2, "paper": 1}
"""Along each axis; decision 0010 says what follows the voxel."""
_KEY_VARIABLE = "STREAMLCN_DEMO_TILED_KEY"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoResult:
    """What the demonstration gave. ``urls`` worked while it ran."""

    uid: str
    comparison: Comparison
    figure: Path
    urls: dict[str, str]
    seconds: dict[str, float]
    metadata: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Beamline:
    """Addresses of what runs, and the folder that all of it writes to."""

    folder: Path
    tiled: LocalTiled
    daemon_url: str
    proxy_in: str


def run_demo(profile: str, size: str, folder: Path, progress: ScanProgress, *, seed: int = 0) -> DemoResult:
    """Run one simulated scan through real processes; everything they write lies in ``folder``.

    Leaves no process behind, however it ends. Raises a `StreamLCNError` when something does not come up or
    the scan fails.
    """
    begun = time.monotonic()
    with ExitStack() as stack, Children(folder / "logs") as children:
        beamline = _bring_up(profile, size, folder, stack, children, progress)
        up = time.monotonic()
        command = ["streamlcn", "simulate", profile, "--publish", beamline.proxy_in, "--size", size]
        command += ["--seed", str(seed), "--data-dir", str(folder / "detector"), "--assets", "stream"]
        command += ["--truth-out", str(folder / "truth.npz"), "--json"]
        progress.say("the simulated bone is projected")
        simulator = children.start("simulated beamline", command)
        told = _watch(simulator, beamline, children, progress)
        scan = told["scans"][0]
        uid = scan["uids"][-1]
        found = read_back(
            beamline.tiled.uri,
            beamline.tiled.api_key,
            uid,
            _PATIENCE_S[size],
            _watcher(beamline, children, progress),
        )
        seconds = {
            "until_ready": up - begun,
            "preparing_the_bone": told["prepare_s"],
            "scan": scan["darks_s"] + scan["flats_s"] + scan["projections_s"],
            "last_projection_to_readable": found.readable_at_s - scan["last_projection_at"],
            "total": time.monotonic() - begun,
        }
        urls = {
            "live page": beamline.daemon_url,
            "telemetry": f"{beamline.daemon_url}/metrics",
            "tiled": beamline.tiled.uri,
        }
        return _conclude(folder, uid, found, profile, urls, seconds)


def _bring_up(
    profile: str, size: str, folder: Path, stack: ExitStack, children: Children, progress: ScanProgress
) -> _Beamline:
    progress.say("tiled and the proxy start")
    tiled = started(lambda: stack.enter_context(start_local_tiled(folder / "tiled")))
    proxy = children.start("proxy", ["streamlcn.demo.proxy"])
    proxy_in, proxy_out = _first_line(proxy).split()
    tiled.wait_ready()
    progress.say("the daemon starts")
    options = {
        "ingest.address": proxy_out,
        "ingest.state_dir": str(folder / "state"),
        "documents.files.allowed_roots": f"[{json.dumps(str(folder / 'detector'))}]",
        "reconstruction.correction.median_radius_px": str(1 // _BINNING[size]),
        "morphometry.island_threshold_voxels": str(
            MorphometryParameters().island_threshold_voxels // _BINNING[size] ** 3
        ),
        "store.uri": tiled.uri,
        "store.api_key_env": _KEY_VARIABLE,
        "web.port": "0",
    }
    words = [word for key, value in options.items() for word in ("--set", f"{key}={value}")]
    daemon = children.start(
        "daemon", ["streamlcn", "run", profile, "--json", *words], {_KEY_VARIABLE: tiled.api_key}
    )
    url = json.loads(_first_line(daemon))["url"]
    beamline = _Beamline(folder=folder, tiled=tiled, daemon_url=url, proxy_in=proxy_in)
    with Status(url) as status:
        status.wait_until_ready(children.check)
    progress.note(f"live page  [link={url}]{url}[/link]   telemetry  {url}/metrics   tiled  {tiled.uri}")
    return beamline


def _first_line(child: Child, timeout_s: float = 60.0) -> str:
    line = child.line(timeout_s)
    if line is None:
        child.check()
        raise ChildDied(f"the {child.name} said nothing for {timeout_s:.0f} s; its log is {child.log}")
    return line


def _watch(
    simulator: Child, beamline: _Beamline, children: Children, progress: ScanProgress
) -> dict[str, Any]:
    """Show the scan until the beamline has taken it; return what the beamline tells."""
    look = _watcher(beamline, children, progress)
    while simulator.process.poll() is None:
        look()
        time.sleep(0.1)
    children.check()
    told: dict[str, Any] = json.loads("".join(simulator.lines()))
    return told


def _watcher(beamline: _Beamline, children: Children, progress: ScanProgress) -> Callable[[], None]:
    status = Status(beamline.daemon_url)

    def look() -> None:
        children.check()
        scan = status.scan()
        if scan.get("uid"):
            progress.update(scan)

    return look


def _conclude(
    folder: Path, uid: str, found: ReadBack, profile: str, urls: dict[str, str], seconds: dict[str, float]
) -> DemoResult:
    classes = found.metadata["model"]["classes"]
    truth = _truth(folder / "truth.npz", classes)
    comparison = compare(found.metadata, found.labels, truth, found.voxel_size_um)
    figure = folder / "summary.png"
    save_summary(figure, found, truth, f"{profile}, simulated scan {uid[:8]}")
    return DemoResult(
        uid=uid, comparison=comparison, figure=figure, urls=urls, seconds=seconds, metadata=found.metadata
    )


def _truth(path: Path, classes: list[str]) -> npt.NDArray[np.uint8]:
    """Return the phantom's labels; a model without shade-off calls it the bone that it is."""
    with np.load(path) as file:
        labels: npt.NDArray[np.uint8] = file["labels"]
    return (
        labels
        if "shade_off" in classes
        else np.where(labels == Label.SHADE_OFF, np.uint8(Label.BONE), labels)
    )
