"""Which kernel runs where."""

from __future__ import annotations

import os

from streamlcn.errors import BadInput
from streamlcn.reconstruction._accumulator import Accumulator, CpuAccumulator
from streamlcn.reconstruction._filter import FilterGeometry, RowFilter
from streamlcn.reconstruction._merged import MergedAccumulator
from streamlcn.reconstruction._movable import MovableAccumulator
from streamlcn.reconstruction.settings import FbpSettings
from streamlcn.shortage import is_shortage

__all__ = ["chosen_device", "device_of", "make_accumulator", "memory_bytes", "with_kernel"]


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
        if is_shortage(error):  # it is there, and full: the volume will say what is done about it
            return name
        raise BadInput(
            f"device {name!r} cannot be used ({error}): say auto, cpu, or a torch device"
        ) from error
    return name


def device_of(method: FbpSettings) -> str:
    """Return where a volume is made, one of `chosen_device`: merged angles have a kernel on the CPU only."""
    return "cpu" if method.mode == "merged" else chosen_device(method.device)


def make_accumulator(
    method: FbpSettings, device: str, shape: tuple[int, int], centre: float, threads: int
) -> MovableAccumulator:
    """Return an empty volume for a detector ``shape`` (row, column) on a device of `chosen_device`.

    A volume that the device has no room for lives in host memory, partly or wholly, and is worked on there
    slab by slab. On the CPU instead, then or later, where there is too little memory for that. Raises
    `ReconstructionFailed` for a volume larger than the memory of this computer.
    """
    row_filter = RowFilter(FilterGeometry.around(shape[1], centre), method.filter, method.padding)

    def make(device: str) -> Accumulator:
        if device == "cpu" or method.mode == "merged":
            _require_memory(4 * shape[0] * shape[1] ** 2)
            if method.mode == "merged":
                return MergedAccumulator(shape, centre, row_filter, method.batch, threads)
            return CpuAccumulator(shape, centre, row_filter, method.batch, threads)
        from streamlcn.reconstruction._on_torch import accumulator_on

        return accumulator_on(device, method, shape, centre, row_filter, threads, _require_memory)

    return MovableAccumulator(make, device)


def with_kernel(device: str) -> str:
    """Return the name of a device of `chosen_device`, with its kernel's where there is a choice."""
    if not device.removeprefix("torch:").startswith("cuda"):
        return device
    from streamlcn.reconstruction._on_torch import kernel_name

    kernel = kernel_name(device)
    return f"{device} with {kernel}" if kernel else device


def _require_memory(needed_bytes: int) -> None:
    """Raise `MemoryError` where there is not that much: Linux promises more than it has, and kills later."""
    there = memory_bytes()
    if needed_bytes > there:
        raise MemoryError(f"{needed_bytes / 2**30:.1f} GiB of voxels, {there / 2**30:.1f} GiB of memory")


def memory_bytes() -> int:
    """Return how much memory this computer has."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
