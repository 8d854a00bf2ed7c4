"""Every backend and device against the same contract."""

from __future__ import annotations

from typing import ClassVar

from backends import TOMOPY_PYTHON, needs_astra, needs_astra_cuda, needs_cuda, needs_tomopy
from contract import ReconstructionContract


class TestFbpCpu(ReconstructionContract):
    method: ClassVar[dict[str, object]] = {"backend": "fbp", "device": "cpu", "threads": 2}


class TestFbpTorchCpu(ReconstructionContract):
    method: ClassVar[dict[str, object]] = {"backend": "fbp", "device": "torch:cpu"}


class TestFbpTorchCpuWithoutRoom(ReconstructionContract):
    """The volume lives in host memory."""

    method: ClassVar[dict[str, object]] = {
        "backend": "fbp",
        "device": "torch:cpu",
        "device_memory_gb": 1e-9,
    }


@needs_cuda
class TestFbpCuda(ReconstructionContract):
    method: ClassVar[dict[str, object]] = {"backend": "fbp", "device": "cuda"}


@needs_astra
class TestAstraStrip(ReconstructionContract):
    method: ClassVar[dict[str, object]] = {"backend": "astra", "device": "cpu"}


@needs_astra
class TestAstraLinear(ReconstructionContract):
    method: ClassVar[dict[str, object]] = {"backend": "astra", "device": "cpu", "projector": "linear"}
    edge_correlation = 0.98


@needs_astra_cuda
class TestAstraCuda(ReconstructionContract):
    method: ClassVar[dict[str, object]] = {"backend": "astra", "device": "cuda"}
    order_tolerance = 1e-5


@needs_tomopy
class TestTomopyGridrec(ReconstructionContract):
    method: ClassVar[dict[str, object]] = {"backend": "tomopy", "device": "cpu", "python": TOMOPY_PYTHON}
    order_tolerance = 1e-4  # gridrec's sums depend on its threads
    edge_correlation = 0.98


@needs_tomopy
@needs_astra_cuda
class TestTomopyCuda(ReconstructionContract):
    method: ClassVar[dict[str, object]] = {"backend": "tomopy", "device": "cuda", "python": TOMOPY_PYTHON}
    order_tolerance = 1e-5
