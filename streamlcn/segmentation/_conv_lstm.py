"""Convolutional LSTM in both directions (Shi et al. 2015), without peepholes.

    i, f, o = sigmoid(gates)    g = tanh(gate)    c' = f c + i g    h' = o tanh(c')

All gates of a step are conv(x) + conv(h). The first needs no state: it is computed once per slice, for both
directions together, and shared by every window that sees the slice.
"""

from __future__ import annotations

from typing import TypeAlias

import torch
from torch import Tensor, nn

__all__ = ["BiConvLSTM"]

State: TypeAlias = tuple[Tensor, Tensor]


class BiConvLSTM(nn.Module):
    """Two LSTMs of the same width, one from before and one from after, joined by sum or concatenation."""

    def __init__(self, inputs: int, width: int, merge: str) -> None:
        super().__init__()
        self.width, self.merge = width, merge
        self.output_width = width if merge == "sum" else 2 * width
        # Gates of a direction: input, forget, output, candidate, each `width` channels.
        self.input_forward = nn.Conv2d(inputs, 4 * width, 3, padding=1)
        self.input_backward = nn.Conv2d(inputs, 4 * width, 3, padding=1)
        self.state_forward = nn.Conv2d(width, 4 * width, 3, padding=1, bias=False)
        self.state_backward = nn.Conv2d(width, 4 * width, 3, padding=1, bias=False)

    def reset_gates(self) -> None:
        """Open the forget gates at the start of training (bias 1)."""
        for conv in (self.input_forward, self.input_backward):
            assert conv.bias is not None
            with torch.no_grad():
                conv.bias[self.width : 2 * self.width] = 1.0

    def sequence(self, forward: list[Tensor], backward: list[Tensor]) -> list[Tensor]:
        """Return the joined states of every slice, (n, output_width, h, w) each, from the slices' gates."""
        ahead = self._run(forward, self.state_forward)
        behind = self._run(backward[::-1], self.state_backward)[::-1]
        return [self._join(one, other) for one, other in zip(ahead, behind, strict=True)]

    def middle(self, forward: list[Tensor], backward: list[Tensor]) -> Tensor:
        """Return the joined state at the end of both lists: gates up to the middle slice, and down to it."""
        ahead = self._run(forward, self.state_forward)[-1]
        return self._join(ahead, self._run(backward, self.state_backward)[-1])

    def _join(self, ahead: Tensor, behind: Tensor) -> Tensor:
        return ahead + behind if self.merge == "sum" else torch.cat([ahead, behind], dim=1)

    def _run(self, gates: list[Tensor], state_conv: nn.Conv2d) -> list[Tensor]:
        states: list[State] = []
        for gate in gates:
            states.append(_step(gate + state_conv(states[-1][0]), states[-1][1]) if states else _first(gate))
        return [hidden for hidden, _ in states]


def _first(gates: Tensor) -> State:
    i, _, o, g = _opened(gates)
    cell = i * g
    return o * torch.tanh(cell), cell


def _step(gates: Tensor, cell: Tensor) -> State:
    i, f, o, g = _opened(gates)
    cell = f * cell + i * g
    return o * torch.tanh(cell), cell


def _opened(gates: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return i, f, o after the sigmoid and g after tanh, each over memory that lies side by side.

    In channels-last order the channels of one gate do not, and there the functions take twice as long a
    value in float32, seven times in bfloat16.
    """
    i, f, o, _ = torch.sigmoid(gates).chunk(4, dim=1)
    is_last = gates.is_contiguous(memory_format=torch.channels_last)
    layout = torch.channels_last if is_last else torch.contiguous_format
    return i, f, o, torch.tanh(gates.chunk(4, dim=1)[3].contiguous(memory_format=layout))
