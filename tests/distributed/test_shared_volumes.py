"""Volumes that workers make have the bits of those that one process makes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamlcn.reconstruction import ReconstructionSettings, make_reconstructor
from streamlcn.shortage import Shortage, hearing
from tests.distributed.far_scans import (
    COUNT,
    FarScans,
    frame,
    local_volume,
    reference,
    rules,
    scan,
    volume_of,
)
from tests.distributed.processes import DaskProcesses

EVERYTHING = {
    "whatever moves no row": rules(centre={"value": 20.2}),
    "an unknown centre": rules(),
    "merged angles": rules(method={"mode": "merged"}),
    "rings, air, binning": rules(
        correction={"rings": "mean", "ring_width_px": 5, "air_columns_px": 2, "outlier_threshold": 0.3}
    ),
}


def _quick_ones() -> Iterator[Any]:
    """Yield each number of workers with each way of correcting; most of them are slow tests."""
    quick = [(1, "an unknown centre"), (2, "rings, air, binning"), (3, "an unknown centre")]
    for workers, what in product((1, 2, 3), EVERYTHING):
        yield pytest.param(workers, what, marks=() if (workers, what) in quick else pytest.mark.slow)


@pytest.mark.parametrize(("workers", "what"), list(_quick_ones()))
def test_any_number_of_workers_gives_the_same_bits(
    dask: DaskProcesses, tmp_path: Path, what: str, workers: int
) -> None:
    dask.have(workers)
    far = FarScans(dask.address, tmp_path)
    with far.start(EVERYTHING[what]) as session:
        volume = volume_of(session, range(COUNT))
        assert session.description.endswith(f" on dask at {dask.address}")
    assert np.array_equal(volume, local_volume(EVERYTHING[what], range(COUNT)))
    assert far.told.counts["compute_tasks.reconstruct"] >= min(workers, 2)
    assert far.told.counts["compute_seconds.reconstruct"] > 0
    assert list(tmp_path.iterdir()) == [], "the shared folder is left as it was"


@settings(max_examples=4)
@given(slab_rows=st.integers(1, 9), batch=st.integers(6, 20), seed=st.integers(0, 99), lost=st.integers(0, 9))
def test_any_slab_batch_order_and_loss_gives_the_same_bits(
    dask: DaskProcesses,
    tmp_path_factory: pytest.TempPathFactory,
    slab_rows: int,
    batch: int,
    seed: int,
    lost: int,
) -> None:
    dask.have(2)
    order = np.random.default_rng(seed).permutation(COUNT)[lost:].tolist()
    method = {"backend": "fbp", "device": "cpu", "threads": 1, "batch": batch, "reorder_window": 9}
    one = ReconstructionSettings.model_validate({"method": method, "centre": {"value": 20.2}})
    far = FarScans(dask.address, tmp_path_factory.mktemp("shared"), slab_rows=slab_rows)
    with far.start(one) as session:
        assert np.array_equal(volume_of(session, order), local_volume(one, order))


def test_previews_on_workers_are_those_of_one_process(dask: DaskProcesses, tmp_path: Path) -> None:
    dask.have(2)
    one = rules(centre={"value": 20.2})
    with FarScans(dask.address, tmp_path, slab_rows=3).start(one) as session:
        for index in range(30):
            session.add(frame(index))
        planes = session.preview_slices()  # type: ignore[attr-defined]
        low = session.preview(1)
    with make_reconstructor(one).start(scan(), reference()) as here:
        for index in range(30):
            here.add(frame(index))
        for far, near in zip(planes, here.preview_slices(), strict=True):  # type: ignore[attr-defined]
            assert np.array_equal(far, near)
        assert np.array_equal(low, here.preview(1))


def test_without_a_scheduler_the_same_bits_come_from_here_and_somebody_is_told(tmp_path: Path) -> None:
    told: list[Shortage] = []
    far = FarScans("tcp://127.0.0.1:1", tmp_path, connect_s=0.2)
    with hearing(told.append), far.start(rules()) as session:
        volume = volume_of(session, range(COUNT))
        assert session.description == "fbp on cpu"
    assert np.array_equal(volume, local_volume(rules(), range(COUNT)))
    (loss,) = told
    assert "127.0.0.1:1" in loss.text
    assert loss.runbook == "workers-lost"
    assert far.told.counts["compute_fallbacks"] == 1


@pytest.mark.slow
def test_a_scheduler_without_workers_is_given_up_in_time(fragile: DaskProcesses, tmp_path: Path) -> None:
    clock = iter(range(10**6))
    told: list[Shortage] = []
    far = FarScans(fragile.address, tmp_path, clock=lambda: float(next(clock)), patience_s=5)
    with hearing(told.append), far.start(rules()) as session:
        volume = volume_of(session, range(COUNT))
    assert np.array_equal(volume, local_volume(rules(), range(COUNT)))
    assert ["had no worker for 5 s" in loss.text for loss in told] == [True]
