"""The networks are what they say: size, reach, and what the C-LSTM computes."""

from __future__ import annotations

import math

import pytest
import torch

from streamlcn.segmentation._blocks import UpBlock
from streamlcn.segmentation._build import build_network
from streamlcn.segmentation._conv_lstm import BiConvLSTM
from streamlcn.segmentation.settings import PRESETS, NetworkConfig


@pytest.mark.parametrize(
    ("preset", "millions"),
    [("small", 0.722), ("small-2d", 0.488), ("medium", 2.89), ("paper", 11.9), ("paper-unet", 7.79)],
)
def test_presets_have_the_size_that_their_name_promises(preset: str, millions: float) -> None:
    network = build_network(PRESETS[preset])
    assert sum(weight.numel() for weight in network.parameters()) / 1e6 == pytest.approx(millions, rel=5e-3)


@pytest.mark.parametrize("kind", ["sensor3d", "unet"])
def test_no_level_is_wider_than_the_widest(kind: str) -> None:
    config = NetworkConfig(kind=kind, base=2, levels=5, widest=8)  # type: ignore[arg-type]
    assert config.widths == (2, 4, 8, 8, 8)
    network = build_network(config).eval()
    counts = {weight.shape[0] for name, weight in network.named_parameters() if name.startswith("down")}
    assert counts == {2, 4, 8}
    assert network(torch.zeros(1, config.window, 16, 16)).shape == (1, config.class_count, 16, 16)
    assert network.features(torch.zeros(1, 1, 16, 16)).shape == (1, 8, 4, 4), "a quarter of the resolution"


def test_a_sensor3d_sees_three_slices_and_a_unet_one() -> None:
    assert (PRESETS["small"].window, PRESETS["small-2d"].window) == (3, 1)
    network = build_network(NetworkConfig(kind="sensor3d", base=4, levels=2), seed=1).eval()
    window = torch.randn(1, 3, 8, 8, requires_grad=True)
    network(window)[0, 0, 4, 4].backward()
    assert window.grad is not None
    assert (window.grad.abs().amax(dim=(0, 2, 3)) > 0).all()


@pytest.mark.parametrize(("levels", "reach"), [(2, 9), (3, 22), (4, 48)])
def test_reach_of_a_unet(levels: int, reach: int) -> None:
    """2 convolutions on the way down and 2 on the way up at pixel size 2^level, 2 at the bottom."""
    network = build_network(NetworkConfig(kind="unet", base=2, levels=levels, norm="none"), seed=4).double()
    for weight in network.parameters():
        weight.data.abs_()
    middle = 64
    plane = torch.ones(1, 1, 128, 128, dtype=torch.float64, requires_grad=True)
    network(plane)[0, 0, middle, middle].backward()
    assert plane.grad is not None
    rows = torch.nonzero(plane.grad[0, 0].abs().sum(dim=1))[:, 0]
    furthest = max(int(rows.max()) - middle, middle - int(rows.min()))
    assert furthest <= reach
    assert furthest >= reach // 2, "the whole depth takes part"


def test_seeds_decide_weights() -> None:
    config = NetworkConfig(base=2, levels=2)
    one, same, other = (build_network(config, seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert not torch.equal(one["head.weight"], other["head.weight"])


def test_split_convolution_is_the_convolution_of_both_together() -> None:
    block = UpBlock(6, 3, 4, "none").double()
    below, skip = torch.randn(2, 6, 5, 5).double(), torch.randn(2, 3, 10, 10).double()
    weight = torch.cat([block.from_below.weight, block.from_skip.weight], dim=1)
    together = torch.nn.functional.conv2d(
        torch.cat([block.up(below), skip], dim=1), weight, block.from_skip.bias, padding=1
    )
    torch.testing.assert_close(block(below, block.from_skip(skip)), block.rest(together))


def test_clstm_of_single_pixels_is_the_written_formula() -> None:
    lstm = BiConvLSTM(1, 1, "sum").double()
    with torch.no_grad():
        for weight in lstm.parameters():
            weight.zero_()
        lstm.input_forward.weight[:, 0, 1, 1] = torch.tensor([0.5, -0.2, 0.3, 0.9], dtype=torch.float64)
        lstm.input_forward.bias.copy_(torch.tensor([0.1, 1.0, -0.1, 0.2], dtype=torch.float64))
        lstm.state_forward.weight[:, 0, 1, 1] = torch.tensor([0.4, 0.6, -0.7, 0.8], dtype=torch.float64)
    first, second = (torch.full((1, 1, 1, 1), value, dtype=torch.float64) for value in (0.7, -1.1))
    gates = [lstm.input_forward(first), lstm.input_forward(second)]
    zero = [torch.zeros_like(gates[0]) - 40] * 2  # gates shut: the way back adds nothing
    got = float(lstm.middle(gates, zero).detach())

    def sigmoid(value: float) -> float:
        return 1 / (1 + math.exp(-value))

    c = sigmoid(0.5 * 0.7 + 0.1) * math.tanh(0.9 * 0.7 + 0.2)
    h = sigmoid(0.3 * 0.7 - 0.1) * math.tanh(c)
    i, f = sigmoid(0.5 * -1.1 + 0.1 + 0.4 * h), sigmoid(-0.2 * -1.1 + 1.0 + 0.6 * h)
    o, g = sigmoid(0.3 * -1.1 - 0.1 - 0.7 * h), math.tanh(0.9 * -1.1 + 0.2 + 0.8 * h)
    assert got == pytest.approx(o * math.tanh(f * c + i * g), abs=1e-12)


def test_directions_swap_when_the_stack_is_turned_over() -> None:
    lstm = BiConvLSTM(2, 3, "sum").double()
    lstm.input_backward.load_state_dict(lstm.input_forward.state_dict())
    lstm.state_backward.load_state_dict(lstm.state_forward.state_dict())
    slices = list(torch.randn(3, 1, 2, 4, 4).double())
    gates = [lstm.input_forward(each) for each in slices]
    upwards, downwards = lstm.sequence(gates, gates), lstm.sequence(gates[::-1], gates[::-1])
    for one, other in zip(upwards, downwards[::-1], strict=True):
        torch.testing.assert_close(one, other)
