"""A device or computer with too little memory costs time or one scan, and everybody can see it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from streamlcn.reconstruction import _devices as devices
from tests.scarcity import Scarce
from tests.service.bench import Bench
from tests.service.rod import journal, recorded

METHOD = {"backend": "fbp", "device": "torch:cpu"}


def test_a_full_device_costs_time_and_is_said_on_the_page_and_in_the_result(tmp_path: Path) -> None:
    documents = recorded()
    plain, full = (Bench(tmp_path / name, **{"reconstruction.method": METHOD}) for name in ("plain", "full"))
    for bench in (plain, full):
        journal(bench.journal, documents)
    plain.run()
    with Scarce(lambda call: call > 200):
        full.run()
    expected, result = plain.result(documents), full.result(documents)
    for key, values in expected.arrays.items():
        np.testing.assert_allclose(result.arrays[key], values, atol=1e-6, err_msg=key)
    assert result.metadata["status"] == "complete"
    assert result.metadata["recipe_hash"] == expected.metadata["recipe_hash"]
    said = "memory of torch:cpu ran out during reconstruction: the volume was made on the CPU, more slowly"
    assert result.metadata["warnings"] == [*expected.metadata["warnings"], said]
    assert full.warnings().count(said) == 1
    assert result.metadata["reconstruction"]["ran"].startswith("fbp on cpu, because torch:cpu")
    (told,) = [event for event in full.told if event.get("text") == said]
    assert (told["runbook"], told["level"]) == ("gpu-memory", "warning")
    assert said not in plain.warnings()


def test_a_volume_larger_than_the_memory_is_one_failed_scan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path / "state")
    documents = recorded()
    with monkeypatch.context() as patched:
        patched.setattr(devices, "memory_bytes", lambda: 1000)
        journal(bench.journal, documents)
        bench.run()
    result = bench.result(documents)
    assert result.metadata["status"] == "failed"
    assert "does not fit into the memory of this computer" in result.metadata["reason"]
    assert "crop, binning" in result.metadata["reason"]
    after = recorded(mode="fly")
    journal(bench.journal, after)
    bench.run()
    assert bench.result(after).metadata["status"] == "complete"


@pytest.mark.parametrize(
    "place", ["streamlcn.pipeline._conclude.analyse", "streamlcn.pipeline._conclude._segment"]
)
def test_memory_that_runs_out_anywhere_is_one_failed_scan(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise MemoryError("Unable to allocate 3.14 TiB")

    bench = Bench(tmp_path / "state")
    documents = recorded()
    journal(bench.journal, documents)
    monkeypatch.setattr(place, refuse)
    bench.run()
    result = bench.result(documents)
    assert result.metadata["status"] == "failed"
    assert "too little memory for it (Unable to allocate 3.14 TiB)" in result.metadata["reason"]
    assert any("streamlcn replay" in text for text in bench.warnings())
