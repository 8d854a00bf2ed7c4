"""Which kernel runs where."""

from __future__ import annotations

from streamlcn.errors import BadInput
from streamlcn.reconstruction._accumulator import Accumulator, CpuAccumulator
from streamlcn.reconstruction._filter import FilterGeometry, RowFilter
from streamlcn.reconstruction.settings import FbpSettings

__all__ = ["chosen_device", "make_accumulator"]


def chosen_device(name: str) -> str:
    """Return what a setting means here: auto is CUDA where there is one, else the CPU.

    ``torch:cpu`` names the plain torch kernel on the CPU. Raises `BadInput` for a device that is not there.
    """
    if name == "cpu":
        return name
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.zeros(1, device=torch.device(name.removeprefix("torch:")))
    except (RuntimeError, AssertionError) as error:
        raise BadInput(
            f"device {name!r} cannot be used ({error}): say auto, cpu, or a torch device"
        ) from error
    return name


def make_accumulator(
    method: FbpSettings, device: str, shape: tuple[int, int], centre: float, threads: int
) -> Accumulator:
    """Return an empty volume for a detector ``shape`` (row, column) on a device of `chosen_device`."""
    row_filter = RowFilter(FilterGeometry.around(shape[1], centre), method.filter, method.padding)
    if device == "cpu":
        return CpuAccumulator(shape, centre, row_filter, method.batch, threads)
    import torch

    from streamlcn.reconstruction._torch import TorchAccumulator

    return TorchAccumulator(shape, centre, row_filter, torch.device(device.removeprefix("torch:")))
