"""Which kernel runs where."""

from __future__ import annotations

import torch

from streamlcn.errors import BadInput
from streamlcn.reconstruction._accumulator import Accumulator, CpuAccumulator, TorchAccumulator
from streamlcn.reconstruction.settings import FbpSettings

__all__ = ["make_accumulator", "torch_device"]


def torch_device(name: str) -> torch.device:
    """Return the torch device of a setting: auto is CUDA where there is one, else the CPU.

    ``torch:cpu`` names the plain torch kernel on the CPU. Raises `BadInput` for one that is not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name.removeprefix("torch:"))
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise BadInput(
            f"device {name!r} cannot be used ({error}): say auto, cpu, or a torch device"
        ) from error
    return device


def make_accumulator(
    method: FbpSettings,
    device: torch.device,
    shape: tuple[int, int],
    centre: float,
    margin: int,
    threads: int,
) -> Accumulator:
    """Return the compiled kernel for the CPU, plain torch for other devices."""
    rows, columns = shape
    if device.type == "cpu" and not method.device.startswith("torch:"):
        return CpuAccumulator(rows, columns, centre, margin, method.batch, threads)
    return TorchAccumulator(rows, columns, centre, margin, device)
