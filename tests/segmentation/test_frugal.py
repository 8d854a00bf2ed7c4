"""Whatever call finds no memory, each slice gets its labels once, and the same ones."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from streamlcn.errors import SegmentationFailed
from streamlcn.segmentation import Model
from streamlcn.segmentation._build import Network
from streamlcn.segmentation._frugal import Place, at_first_fit, frugal_logits
from streamlcn.segmentation._inference import sight_px
from streamlcn.segmentation._manifest import Manifest
from tests.scarcity import Scarce, heard

CPU, DEVICE = torch.device("cpu"), torch.device("cpu:0")  # the same to torch, another place to the house
RNG = np.random.default_rng(8)
STACK: npt.NDArray[Any] = RNG.standard_normal((3, 52, 116))


def logits(places: list[Place], scarce: Scarce | None = None) -> torch.Tensor:
    """Return logits (z, class, y, x) of `STACK`."""
    shape = (len(STACK), STACK.shape[1], STACK.shape[2])
    with scarce or Scarce():
        return torch.stack(list(frugal_logits(places, lambda z: STACK[z], shape, torch.float32)))


@pytest.fixture
def exact(network: Network) -> Network:
    """In single precision a convolution's last bits depend on the size of its input."""
    return network.double()


def test_any_single_failure_changes_no_bit(exact: Network) -> None:
    places = [Place(DEVICE, lambda: exact), Place(CPU, lambda: exact)]
    quiet = Scarce()
    expected = logits(places, quiet)
    assert sight_px(exact.config) < STACK.shape[2] // 2, "no tile could be halved"
    for number in range(0, quiet.calls - 1, max(1, quiet.calls // 25)):  # the last one is our own stack
        with heard() as told:
            found = logits(places, Scarce(lambda n, at=number: n == at))
        assert torch.equal(found, expected), f"call {number}"
        assert [(one.stage, one.device) for one in told] == [("segment", "cpu:0")]
        assert "58 pixels per side" in told[0].done


def test_too_small_for_any_tile_goes_on_elsewhere_at_the_same_slice(exact: Network) -> None:
    full = copy.deepcopy(exact)
    expected = logits([Place(CPU, lambda: exact)])
    seen = []

    def refuse(*_: object) -> None:
        seen.append(1)
        if len(seen) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory.")

    first = full.down[0]
    assert isinstance(first, torch.nn.Module)
    first.register_forward_pre_hook(refuse)
    with heard() as told:
        found = logits([Place(DEVICE, lambda: full), Place(CPU, lambda: exact)])
    assert torch.equal(found, expected)
    assert [one.done for one in told] == ["went on on cpu, more slowly"]


def test_smaller_tiles_need_less(exact: Network) -> None:
    places = [Place(DEVICE, lambda: exact)]
    quiet = Scarce()
    expected = logits(places, quiet)
    with heard() as told:
        found = logits(places, Scarce(largest=quiet.most - 1))
    assert torch.equal(found, expected)
    assert len(told) == 1


def test_no_memory_anywhere_is_a_failed_scan(exact: Network) -> None:
    places = [Place(DEVICE, lambda: exact), Place(CPU, lambda: exact)]
    with heard() as told, pytest.raises(SegmentationFailed, match=r"52 x 116 pixels do not fit.*crop or bin"):
        logits(places, Scarce(lambda _: True))
    assert [one.device for one in told] == ["cpu:0"]


def test_what_needs_whole_slices_goes_to_the_first_place_with_room(exact: Network) -> None:
    places = [Place(DEVICE, lambda: exact), Place(CPU, lambda: exact)]

    def work(_: Network, device: torch.device) -> str:
        if device == DEVICE:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return str(device)

    with heard() as told:
        assert at_first_fit(places, work) == "cpu"
    assert [one.done for one in told] == ["went on on cpu, more slowly"]
    with pytest.raises(SegmentationFailed, match="whole slices do not fit"):
        at_first_fit(places[:1], work)


def test_other_errors_are_bugs(exact: Network) -> None:
    def broken() -> Network:
        raise RuntimeError("expected scalar type Float")

    with heard() as told, pytest.raises(RuntimeError, match="scalar type"):
        logits([Place(DEVICE, broken), Place(CPU, lambda: exact)])
    assert not told


def test_a_model_labels_and_judges_without_its_device(
    network: Network,
    manifest: Manifest,
    volume: npt.NDArray[np.float32],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = Model(copy.deepcopy(network), manifest, CPU)
    model = Model(network, manifest, DEVICE)

    def refuse(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    for name in ("encode", "forward", "features"):
        monkeypatch.setattr(model.network, name, refuse, raising=False)
    with heard() as told:
        np.testing.assert_array_equal(model.segment(volume), expected.segment(volume))
    assert [one.text for one in told] == [
        "memory of cpu:0 ran out during segmentation: went on on cpu, more slowly"
    ]


def test_labels_of_a_slice_that_fails_half_way_are_counted_once(
    network: Network, manifest: Manifest, volume: npt.NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Model(network, manifest, CPU)
    plain = model.segment_slabs(volume, 3)
    labels = np.concatenate([mask.classes for mask in plain])
    calls = []
    largest = torch.Tensor.max

    def once(self: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) == 4:
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return largest(self, *args, **kwargs)

    monkeypatch.setattr(torch.Tensor, "max", once)
    with heard() as told:
        again = model.segment_slabs(volume, 3)
        np.testing.assert_array_equal(np.concatenate([mask.classes for mask in again]), labels)
    np.testing.assert_array_equal(again.tally.likely, plain.tally.likely)
    assert [one.done for one in told] == ["labels were made on the CPU"]
