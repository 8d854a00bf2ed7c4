"""A whole scan on workers is the scan that one process makes, whatever becomes of the workers."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from streamlcn.distributed import _segmenter
from streamlcn.model import CLASS_NAMES
from streamlcn.segmentation import Manifest, NetworkConfig
from streamlcn.segmentation._build import build_network
from streamlcn.segmentation._bundle import write_bundle
from streamlcn.segmentation._manifest import Calibration
from tests.distributed.processes import DaskProcesses
from tests.recorder import passing_folder
from tests.service.bench import Bench, assert_same
from tests.service.rod import journal, recorded


@cache
def bundle() -> Path:
    """Return the folder of a small network that was never trained, but can tell how sure it is."""
    folder, config = passing_folder("network"), NetworkConfig(base=2, levels=2)
    manifest = Manifest(
        name="untrained",
        network=config,
        classes=CLASS_NAMES,
        weights_sha256="0" * 64,
        provenance={"seed": 9},
        calibration=Calibration(temperature=1.3, error=0.1, error_before=0.2, porosity_spread=2.0, volumes=1),
    )
    write_bundle(folder, build_network(config, seed=9), manifest, card="# untrained\n")
    return folder


def bench_at(folder: Path, **overrides: Any) -> Bench:
    """Return a bench with one recorded scan in its journal."""
    network = {"backend": "sensor3d", "bundle": str(bundle()), "device": "cpu"}
    bench = Bench(folder, segmentation=network, **{"live.provisional_share": 0.5}, **overrides)
    journal(bench.journal, recorded())
    return bench


def on_workers(folder: Path, address: str, **compute: Any) -> Bench:
    """Return a bench whose scans are computed by the workers of a scheduler."""
    where = {"scheduler": address.removeprefix("tcp://"), "shared_dir": str(folder / "shared")}
    return bench_at(folder, compute={"backend": "dask", **where, **compute})


def assert_like_local(bench: Bench, folder: Path) -> None:
    """The result, and what was told of it, is that of one process."""
    one = bench_at(folder)
    one.run()
    assert_same(bench.result(recorded()), one.result(recorded()))
    mine, theirs = ([e for e in each.told if e["event"] == "morphometry"][-1] for each in (bench, one))
    sure = bench.result(recorded()).metadata["uncertainty"]
    assert mine["porosity_low"] == sure["porosity_low"] < sure["porosity_expected"] < sure["porosity_high"]
    assert mine == theirs


def test_a_scan_on_workers_is_the_scan_of_one_process(dask: DaskProcesses, tmp_path: Path) -> None:
    dask.have(2)
    bench = on_workers(tmp_path / "far", dask.address)
    bench.run()
    result = bench.result(recorded())
    assert result.metadata["reconstruction"]["ran"] == f"fbp on dask at {dask.address}"
    assert result.metadata["warnings"] == []
    assert_like_local(bench, tmp_path / "near")


def lose_before(monkeypatch: pytest.MonkeyPatch, place: Any, what: str, then: Callable[[], None]) -> None:
    """Have ``then`` happen just before ``place.what`` is done."""
    original = getattr(place, what)

    def first(*arguments: Any, **named: Any) -> Any:
        then()
        return original(*arguments, **named)

    monkeypatch.setattr(place, what, first)


@pytest.mark.slow
def test_labels_of_a_killed_worker_are_made_by_another(
    fragile: DaskProcesses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fragile.have(2)
    bench = on_workers(tmp_path / "far", fragile.address)
    lose_before(monkeypatch, _segmenter._SharedLabelling, "_from_worker", fragile.workers[0].kill)
    bench.run()
    assert bench.result(recorded()).metadata["warnings"] == []
    assert_like_local(bench, tmp_path / "near")


@pytest.mark.slow
def test_labels_are_made_here_when_the_model_cannot_be_shared(
    dask: DaskProcesses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dask.have(1)

    def full() -> None:
        raise OSError("No space left on device")

    lose_before(monkeypatch, _segmenter.shutil, "copytree", full)
    bench = on_workers(tmp_path / "far", dask.address)
    bench.run()
    (warning,) = bench.result(recorded()).metadata["warnings"]
    assert "No space left" in warning
    monkeypatch.undo()
    assert_like_local(bench, tmp_path / "near")


@pytest.mark.slow
def test_labels_go_on_here_when_the_scheduler_dies_before_them(
    fragile: DaskProcesses, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fragile.have(1)
    bench = on_workers(tmp_path / "far", fragile.address)
    lose_before(monkeypatch, _segmenter._SharedLabelling, "_from_worker", fragile.kill_scheduler)
    bench.run()
    (warning,) = bench.result(recorded()).metadata["warnings"]
    assert warning.startswith(
        f"the workers of {fragile.address} could not go on: this computer went on alone"
    )
    assert warning in bench.warnings()
    assert_like_local(bench, tmp_path / "near")
