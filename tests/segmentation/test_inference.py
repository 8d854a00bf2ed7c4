"""Sharing what windows have in common, slabs and padding change nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from streamlcn.errors import SegmentationFailed
from streamlcn.model import Label
from streamlcn.segmentation import Model
from streamlcn.segmentation._build import Network, build_network
from streamlcn.segmentation._inference import logits_of_slices, padded, sight_px
from streamlcn.segmentation._manifest import Calibration, Manifest
from streamlcn.segmentation._sensor3d import Sensor3D
from streamlcn.segmentation.settings import NetworkConfig

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


def test_tiles_have_no_seams(network: Network) -> None:
    rng = np.random.default_rng(8)
    stack: npt.NDArray[Any] = rng.standard_normal((4, 75, 150))
    network.double()  # in single precision a convolution's last bits depend on the size of its input
    with torch.inference_mode():
        whole = torch.stack(list(logits_of_slices(network, lambda z: stack[z], 4, 0, 4, CPU)))
        tiled = torch.stack(list(logits_of_slices(network, lambda z: stack[z], 4, 0, 4, CPU, tile_px=32)))
    assert sight_px(network.config) < 150 - 32, "every tile saw the whole slice"
    assert torch.equal(tiled, whole), "both are rounded to single precision at the end"


@pytest.mark.parametrize("levels", [2, 3, 4, 5])
@pytest.mark.parametrize("kind", ["sensor3d", "unet"])
def test_nothing_beyond_its_sight_changes_a_label(kind: str, levels: int) -> None:
    config = NetworkConfig(kind=kind, base=2, levels=levels, widest=8, norm="none")  # type: ignore[arg-type]
    network = build_network(config, 5).double().eval()
    sight, size = sight_px(config), 2 * sight_px(config) + config.multiple
    rng = np.random.default_rng(2)
    stack = torch.from_numpy(rng.standard_normal((1, 3 if kind == "sensor3d" else 1, config.multiple, size)))
    changed = stack.clone()
    changed[..., 0] += 5.0
    with torch.inference_mode():
        differs = (network(stack) != network(changed)).any(dim=1)[0].any(dim=0)
    farthest = int(differs.nonzero().max())
    assert farthest <= sight
    assert farthest > sight - 4 * config.multiple, "the bound is far too wide"


def test_bfloat16_agrees_with_float32(
    network: Network, manifest: Manifest, volume: npt.NDArray[np.float32]
) -> None:
    exact, fast = Model(network, manifest, CPU), Model(network, manifest, CPU, "bfloat16")
    assert fast.description["precision"] == "bfloat16"
    difference = np.abs(exact.probabilities(volume) - fast.probabilities(volume))
    assert 0 < difference.max() < 0.05
    assert (exact.segment(volume) == fast.segment(volume)).mean() > 0.98


def test_porosity_is_what_the_probabilities_add_up_to(
    network: Network, manifest: Manifest, volume: npt.NDArray[np.float32]
) -> None:
    calibration = Calibration(temperature=1.7, error=0.1, error_before=0.2, porosity_spread=0.5, volumes=3)
    model = Model(network, manifest.model_copy(update={"calibration": calibration}), CPU)
    likely = model.probabilities(volume).astype(np.float64)
    np.testing.assert_allclose(likely.sum(axis=0), 1, atol=1e-5)
    lcn, tissue = likely[2], likely[1:].sum()
    expected, reach = lcn.sum() / tissue, 0.5 * (lcn * (1 - lcn)).sum() / tissue
    found = model.porosity(volume)
    assert found is not None
    assert (found.low, found.expected, found.high) == pytest.approx(
        (expected - reach, expected, expected + reach), rel=1e-4
    )
    masks = model.segment_slabs(volume, 3)
    np.testing.assert_array_equal(np.concatenate([mask.classes for mask in masks]), model.segment(volume))
    assert masks.porosity == found, "the same from the labels' own pass, in slabs of any height"


def test_a_higher_temperature_is_less_sure_with_the_same_labels(
    network: Network, manifest: Manifest, volume: npt.NDArray[np.float32]
) -> None:
    warm = Calibration(temperature=3, error=0, error_before=0, volumes=0)
    plain, unsure = (
        Model(network, manifest, CPU),
        Model(network, manifest.model_copy(update={"calibration": warm}), CPU),
    )
    assert unsure.probabilities(volume).max(axis=0).mean() < plain.probabilities(volume).max(axis=0).mean()
    np.testing.assert_array_equal(plain.segment(volume), unsure.segment(volume))
    assert plain.porosity(volume) is None
    assert unsure.porosity(volume) is None, "no bone was held out: there is no interval"
