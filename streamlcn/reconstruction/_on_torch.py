"""Which kernel a torch device has, and how much of its memory a volume takes."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

import structlog
import torch

from streamlcn.reconstruction._filter import RowFilter
from streamlcn.reconstruction._slabs import SlabAccumulator
from streamlcn.reconstruction._torch import PlainKernel
from streamlcn.reconstruction.settings import FbpSettings
from streamlcn.shortage import is_shortage

if TYPE_CHECKING:
    from streamlcn.reconstruction._triton import TritonKernel

__all__ = ["accumulator_on", "kernel_name"]

_log = structlog.get_logger(__name__)

_SHARE_OF_FREE = 0.9
_LONGEST_WHY = 300


def kernel_name(name: str) -> str | None:
    """Return the name of a device's kernel; None while the device is too full to find out."""
    try:
        return _kernel_of(torch.device(name.removeprefix("torch:"))).name
    except RuntimeError as error:
        if is_shortage(error):
            return None
        raise


def accumulator_on(
    name: str,
    method: FbpSettings,
    shape: tuple[int, int],
    centre: float,
    row_filter: RowFilter,
    threads: int,
    require_host: Callable[[int], None],
) -> SlabAccumulator:
    """Return an empty volume on a torch device; ``require_host`` raises where the host has not so many bytes.

    What of the volume the device has no room for lives in host memory.
    """
    device = torch.device(name.removeprefix("torch:"))
    kernel = _kernel_of(device)
    budget = _budget_bytes(device, method.device_memory_gb)
    volume = 4 * shape[0] * shape[1] ** 2
    if volume > budget or device.type == "cpu":
        require_host(volume)
    origin = centre + row_filter.geometry.margin + kernel.margin
    return SlabAccumulator(
        shape,
        row_filter,
        kernel(shape[1], origin, device),
        device,
        batch=method.batch,
        threads=threads,
        budget_bytes=budget,
    )


@cache
def _kernel_of(device: torch.device) -> type[PlainKernel] | type[TritonKernel]:
    """Return Triton's kernel where it runs, which takes a CUDA device, triton and a C compiler."""
    if device.type != "cuda":
        return PlainKernel
    try:
        from streamlcn.reconstruction._triton import TritonKernel, is_right_on

        if is_right_on(device):
            return TritonKernel
        why = "its sums are wrong"
    except Exception as error:
        if is_shortage(error):
            raise
        why = f"{type(error).__name__}: {error}"
    _log.warning("triton_not_used", device=str(device), why=why[:_LONGEST_WHY])
    return PlainKernel


def _budget_bytes(device: torch.device, limit_gb: float | None) -> float:
    """Return how much of a device a volume may take: as the profile says, or nine tenths of what is free."""
    if limit_gb is not None:
        return limit_gb * 1e9
    if device.type != "cuda":
        return math.inf
    free, _ = torch.cuda.mem_get_info(device)
    unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return _SHARE_OF_FREE * (free + unused)
