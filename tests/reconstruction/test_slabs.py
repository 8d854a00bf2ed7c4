"""Volumes that their device has no room for."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from phantoms import BONE, line_integrals
from structlog.testing import capture_logs

from streamlcn.reconstruction import ReconstructionSettings, _on_torch, make_reconstructor, reconstruct
from streamlcn.reconstruction import _devices as devices
from tests.scarcity import Scarce, heard

COLUMNS, ROWS, COUNT, CENTRE, BATCH = 16, 150, 10, 8.3, 4  # slabs of 64, 64 and 22 slices
ANGLES = np.arange(COUNT) * np.pi / COUNT
LINES = line_integrals(BONE, ANGLES, COLUMNS, CENTRE, ROWS).astype(np.float32)
PIXELS = sum((x - 7.5) ** 2 + (y - 7.5) ** 2 <= 64 for x in range(16) for y in range(16))
SLAB_BYTES = 4 * 64 * PIXELS
STAGED_BYTES = SLAB_BYTES + 4 * BATCH * 64 * (COLUMNS + 8)  # one slab and its rows


def made(budget_bytes: float | None) -> tuple[npt.NDArray[np.float32], int]:
    """Return the volume, and how many of its slabs lived on the device, -1 where none could be opened."""
    budget_gb = None if budget_bytes is None else budget_bytes / 1e9
    method = {"backend": "fbp", "device": "torch:cpu", "batch": BATCH, "device_memory_gb": budget_gb}
    rules = ReconstructionSettings.model_validate(
        {"method": method, "correction": {"median_radius_px": 0, "rings": "mean"}}
    )
    with capture_logs() as logs:
        volume = reconstruct(LINES, None, None, ANGLES, centre=CENTRE, settings=rules, is_line_integral=True)
    opened = [line for line in logs if line["event"] == "volume_opened"]
    assert all((line["kernel"], line["slabs"]) == ("plain torch", 3) for line in opened)
    return volume, opened[0]["there"] if opened else -1


WHOLE, THERE = made(None)


def test_all_of_it_is_on_a_device_that_has_room() -> None:
    assert THERE == 3
    assert WHOLE.shape == (ROWS, COLUMNS, COLUMNS)


@pytest.mark.parametrize("slabs", [0, 1, 2])
def test_what_fits_does_not_show_in_the_bits(slabs: int) -> None:
    volume, there = made(STAGED_BYTES + (slabs + 0.1) * SLAB_BYTES)
    assert there == slabs
    assert np.array_equal(volume, WHOLE)


def test_less_memory_than_one_slab_needs_is_worked_with_in_smaller_parts() -> None:
    scarce = Scarce(largest=9 * PIXELS)
    with heard() as told, scarce:
        volume, there = made(1)
    assert there == 0
    assert scarce.failures > 0
    assert np.array_equal(volume, WHOLE)
    assert any("slices at a time" in one.done for one in told)


def test_a_slab_that_finds_no_room_lives_in_host_memory() -> None:
    """Somebody else took memory that was free when it was asked for."""
    outcomes = set()
    for number in range(40):
        with heard() as told, Scarce(lambda call, at=number: call == at):
            volume, there = made(None)
        if told and "slabs there" in told[0].done:
            outcomes.add((there, told[0].done))
            assert np.array_equal(volume, WHOLE)
    assert {there for there, _ in outcomes} == {0, 1, 2}
    assert "went on with 1 of 3 slabs there, the others in host memory" in {done for _, done in outcomes}


def test_planes_of_a_volume_in_both_places() -> None:
    from streamlcn.reconstruction._accumulator import Projected
    from streamlcn.reconstruction._devices import make_accumulator
    from streamlcn.reconstruction.settings import FbpSettings

    planes = []
    for budget in (None, (STAGED_BYTES + 1.1 * SLAB_BYTES) / 1e9):
        method = FbpSettings(device="torch:cpu", batch=BATCH, device_memory_gb=budget)
        volume = make_accumulator(method, "torch:cpu", (ROWS, COLUMNS), CENTRE, 1)
        volume.add([Projected(lambda lines=row: lines, 0.3 * k, 1.0) for k, row in enumerate(LINES)])
        planes.append([volume.plane(axis, 9, 0.5) for axis in range(3)])
        volume.clear()
        assert not volume.slab(0, ROWS, 1.0).any()
        volume.close()
    for whole, both in zip(*planes, strict=True):
        assert whole.any()
        assert np.array_equal(whole, both)


def test_a_card_gives_nine_tenths_of_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (1000, 5000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: 700)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda _: 200)
    assert _on_torch._budget_bytes(torch.device("cuda:1"), None) == pytest.approx(0.9 * 1500)
    assert _on_torch._budget_bytes(torch.device("cuda"), 2.5) == 2.5e9


def test_the_host_must_have_room_for_what_the_device_has_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "memory_bytes", lambda: 1000)
    with heard() as told, pytest.raises(Exception, match="does not fit"):
        made(1)
    assert len(told) == 1
    assert make_reconstructor(ReconstructionSettings()).name == "fbp"
