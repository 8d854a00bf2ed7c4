"""Whatever call finds no memory, nothing is added twice and nothing is lost."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import numpy.typing as npt
import pytest
import torch
from phantoms import BONE, counts, line_integrals
from structlog.testing import capture_logs

from streamlcn.errors import ReconstructionFailed
from streamlcn.model import Frame, FrameKind, Scan
from streamlcn.reconstruction import ReconstructionSettings, make_reconstructor, make_reference, reconstruct
from streamlcn.reconstruction import _devices as devices
from streamlcn.reconstruction._slabs import SlabAccumulator
from streamlcn.shortage import hearing
from tests.scarcity import Scarce, heard

COLUMNS, ROWS, COUNT, CENTRE = 24, 5, 14, 12.2
PLANNED = np.arange(COUNT) * np.pi / COUNT
PROJECTIONS, FLATS, DARKS = counts(line_integrals(BONE, PLANNED, COLUMNS, CENTRE, ROWS))
SEEN = [i for i in range(COUNT) if i not in (0, 6)]  # lost ones: their neighbours get weights at the end


def volume(device: str, scarce: Scarce | None = None) -> tuple[npt.NDArray[np.float32], str]:
    """Stream the scan with previews on the way; return it and what made it."""
    rules = ReconstructionSettings.model_validate(
        {
            "method": {"backend": "fbp", "device": device, "threads": 2, "batch": 4, "reorder_window": 3},
            "correction": {"median_radius_px": 0, "rings": "mean", "ring_width_px": 9},
            "centre": {"value": CENTRE},
        }
    )
    scan = Scan(uid="s", projection_count=COUNT, detector_shape=(ROWS, COLUMNS), voxel_size_um=1.0)
    reference = make_reference(FLATS, DARKS)
    with make_reconstructor(rules).start(scan, reference) as session, scarce or nullcontext():
        for i in SEEN:
            angle = float(PLANNED[i])
            session.add(Frame(kind=FrameKind.PROJECTION, index=i, angle_rad=angle, pixels=PROJECTIONS[i]))
            if i == 8:
                session.preview(2)
                session.preview_slices()  # type: ignore[attr-defined]
        return np.concatenate([slab.voxels for slab in session.finish()]), session.description


ON_DEVICE, _ = volume("torch:cpu")
ON_CPU, _ = volume("cpu")


def test_both_kernels_agree() -> None:
    np.testing.assert_allclose(ON_CPU, ON_DEVICE, atol=1e-6)


def test_any_single_failure_changes_no_bit() -> None:
    quiet = Scarce()
    volume("torch:cpu", quiet)
    halved = moved = 0
    for number in range(0, quiet.calls, max(1, quiet.calls // 150)):
        with heard() as told:
            found, description = volume("torch:cpu", Scarce(lambda n, at=number: n == at))
        assert told, f"call {number}: nobody was told"
        is_moved = description.startswith("fbp on cpu, because torch:cpu ran out of memory")
        assert is_moved or description == "fbp on torch:cpu"
        assert np.array_equal(found, ON_CPU if is_moved else ON_DEVICE), f"call {number}: {told}"
        halved, moved = halved + (not is_moved), moved + is_moved
    assert halved > 20
    assert moved > 5


def test_from_any_moment_on_it_is_the_volume_of_the_cpu() -> None:
    quiet = Scarce()
    volume("torch:cpu", quiet)
    for number in range(0, quiet.calls, max(1, quiet.calls // 60)):
        with heard() as told:
            found, description = volume("torch:cpu", Scarce(lambda n, since=number: n >= since))
        assert np.array_equal(found, ON_CPU), f"call {number}"
        assert description.startswith("fbp on cpu, because")
        assert [one.device for one in told] == ["torch:cpu"]


def test_a_volume_that_is_made_anew_says_that_it_goes_on() -> None:
    quiet, beats = Scarce(), list[str]()
    volume("torch:cpu", quiet)
    with hearing(lambda _: None, beats.append):
        volume("torch:cpu", Scarce(lambda call: call > quiet.calls - 10))
    assert set(beats) == {"reconstruct"}
    assert len(beats) >= len(SEEN) // 24 + 1


@pytest.mark.parametrize("share", [0.9, 0.6, 0.45])
def test_what_is_made_on_the_way_is_made_in_smaller_parts(share: float) -> None:
    pixels = np.count_nonzero(ON_DEVICE[2])
    scarce = Scarce(largest=int(share * pixels * ROWS))
    with heard() as told, capture_logs() as logs:
        found, description = volume("torch:cpu", scarce)
    assert scarce.failures >= 1
    assert description == "fbp on torch:cpu"
    assert np.array_equal(found, ON_DEVICE)
    assert {one.stage for one in told} == {"reconstruct"}
    assert "pixels at a time" in told[0].done
    (first, *_) = [line for line in logs if line["event"] == "memory_ran_out"]
    assert (first["log_level"], first["stage"]) == ("warning", "reconstruct")
    assert first["why"].startswith("CUDA out of memory")


def test_a_move_between_two_slabs_leaves_no_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels cut 70 slices differently: 64 and 6, or 35 and 35."""
    lines = np.random.default_rng(3).random((6, 70, 8)).astype(np.float32)
    angles = np.arange(6) * np.pi / 6
    rules = ReconstructionSettings.model_validate(
        {"method": {"backend": "fbp", "device": "torch:cpu"}, "correction": {"median_radius_px": 0}}
    )
    slab, seen = SlabAccumulator.slab, []

    def first_only(self: SlabAccumulator, z_start: int, z_stop: int, scale: float) -> npt.NDArray[np.float32]:
        seen.append(z_start)
        if len(seen) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return slab(self, z_start, z_stop, scale)

    def whole() -> npt.NDArray[np.float32]:
        return reconstruct(lines, None, None, angles, centre=3.4, settings=rules, is_line_integral=True)

    expected = whole()
    monkeypatch.setattr(SlabAccumulator, "slab", first_only)
    with heard() as told:
        np.testing.assert_allclose(whole(), expected, atol=1e-6)
    assert seen == [0, 64]
    assert len(told) == 1


def test_a_volume_larger_than_the_computer_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "memory_bytes", lambda: 4 * ROWS * COLUMNS**2 - 1)
    with pytest.raises(ReconstructionFailed, match=r"does not fit.*crop, binning"):
        volume("cpu")
    with heard() as told, pytest.raises(ReconstructionFailed, match="does not fit"):
        volume("torch:cpu", Scarce(lambda _: True))
    assert len(told) == 1


def test_an_error_that_is_no_shortage_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> int:
        raise RuntimeError("expected scalar type Float")

    monkeypatch.setattr(devices, "memory_bytes", broken)
    with heard() as told, pytest.raises(RuntimeError, match="scalar type"):
        volume("cpu")
    assert not told
