"""Sharing what windows have in common, slabs and padding change nothing."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch

from streamlcn.errors import SegmentationFailed
from streamlcn.model import Label
from streamlcn.segmentation import Model
from streamlcn.segmentation._build import Network
from streamlcn.segmentation._inference import logits_of_slices, padded
from streamlcn.segmentation._manifest import Manifest
from streamlcn.segmentation._sensor3d import Sensor3D

CPU = torch.device("cpu")


def naive(network: Network, stack: npt.NDArray[np.float32]) -> torch.Tensor:
    """Every window whole, end slices repeated; (z, class, y, x)."""
    planes = np.stack([padded(plane, network.config.multiple) for plane in stack])
    last = len(planes) - 1
    windows = np.stack([planes[[max(z - 1, 0), z, min(z + 1, last)]] for z in range(len(planes))])
    inputs = torch.from_numpy(windows).to(next(network.parameters()).dtype)
    with torch.inference_mode():
        logits = network(inputs if isinstance(network, Sensor3D) else inputs[:, 1:2])
    return logits[..., : stack.shape[1], : stack.shape[2]]


def test_streamed_equals_naive_windows(network: Network, volume: npt.NDArray[np.float32]) -> None:
    stack = volume / np.abs(volume).max()
    expected = naive(network, stack)
    with torch.inference_mode():
        streamed = torch.stack(list(logits_of_slices(network, lambda z: stack[z], 7, 0, 7, CPU)))
    torch.testing.assert_close(streamed, expected, atol=2e-6, rtol=0)
    assert torch.equal(streamed.argmax(dim=1), expected.argmax(dim=1))


@pytest.mark.parametrize("height", [1, 2, 3, 5, 7, 100])
def test_slabs_of_any_height_are_the_whole(
    network: Network, manifest: Manifest, volume: npt.NDArray[np.float32], height: int
) -> None:
    model = Model(network, manifest, CPU)
    masks = list(model.segment_slabs(volume, height))
    assert [mask.z_start for mask in masks] == list(range(0, 7, height))
    assert masks[0].classes.dtype == np.uint8
    together = np.concatenate([mask.classes for mask in masks])
    np.testing.assert_array_equal(together, model.segment(volume))
    assert len(np.unique(together)) > 1, "labels that are all the same would prove nothing"


def test_each_slice_is_encoded_once(manifest: Manifest, volume: npt.NDArray[np.float32]) -> None:
    from streamlcn.segmentation._build import build_network

    network = build_network(manifest.network.model_copy(update={"kind": "sensor3d"}), 1).eval()
    assert isinstance(network, Sensor3D)
    calls: list[int] = []
    network.down[0].register_forward_hook(lambda *_: calls.append(1))
    with torch.inference_mode():
        list(logits_of_slices(network, lambda z: volume[z], 7, 0, 7, CPU))
    assert len(calls) == 7


def test_labels_do_not_depend_on_gain_and_offset(
    network: Network, manifest: Manifest, volume: npt.NDArray[np.float32]
) -> None:
    model = Model(network, manifest, CPU)
    np.testing.assert_array_equal(
        model.segment(volume), model.segment(volume * np.float32(4) - np.float32(64))
    )


def test_labels_are_values_of_label_in_the_order_of_the_classes(
    network: Network, manifest: Manifest, volume: npt.NDArray[np.float32]
) -> None:
    turned = manifest.model_copy(update={"classes": ("lcn", "shade_off", "background", "bone")})
    plain = Model(network, manifest, CPU).segment(volume)
    names = np.array([Label.LCN, Label.SHADE_OFF, Label.BACKGROUND, Label.BONE], np.uint8)
    np.testing.assert_array_equal(Model(network, turned, CPU).segment(volume), names[plain])


def test_probabilities_add_to_one_and_their_largest_is_the_label(
    network: Network, manifest: Manifest, volume: npt.NDArray[np.float32]
) -> None:
    model = Model(network, manifest, CPU)
    likely = model.probabilities(volume)
    assert likely.shape == (4, 7, 26, 21)
    np.testing.assert_allclose(likely.sum(axis=0), 1, atol=1e-5)
    np.testing.assert_array_equal(likely.argmax(axis=0), model.segment(volume))


def test_a_single_slice_is_a_volume(
    network: Network, manifest: Manifest, volume: npt.NDArray[np.float32]
) -> None:
    assert Model(network, manifest, CPU).segment(volume[3:4]).shape == (1, 26, 21)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda v: np.full_like(v, 2.0), "no contrast"),
        (lambda v: np.where(v > v.mean(), np.nan, v), "not numbers"),
        (lambda v: v[0], "shape"),
        (lambda v: v[:0], "shape"),
    ],
)
def test_hopeless_volumes_are_refused(
    network: Network, manifest: Manifest, volume: npt.NDArray[np.float32], spoil: object, words: str
) -> None:
    model = Model(network, manifest, CPU)
    with pytest.raises(SegmentationFailed, match=words):
        list(model.segment_slabs(spoil(volume), 4))  # type: ignore[operator]
