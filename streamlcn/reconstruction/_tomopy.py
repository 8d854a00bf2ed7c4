"""tomopy: gridrec on a CPU, its ASTRA wrapper (FBP_CUDA) on a GPU, both with our geometry, sign and units.

gridrec as it stands is half a pixel off, has a gain of 1.12 to 1.8 that grows away from the axis, and an
offset. All three come from its source (`gridrec.c`, tomopy 1.15) and are undone here: the half pixel by a
shift of the rows, the gain by the transform of its truncated gridding kernel, the offset by the term of
frequency zero that it leaves out. The filter is our own, from its kernel in space.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.polynomial import legendre

from streamlcn.errors import BadInput, ReconstructionFailed
from streamlcn.reconstruction._accumulator import usable_threads
from streamlcn.reconstruction._aligned import aligned_rows, needed_columns
from streamlcn.reconstruction._astra import ASTRA_FILTERS
from streamlcn.reconstruction._filter import ramp_response
from streamlcn.reconstruction._sanity import require_values
from streamlcn.reconstruction._tomopy_process import TomopyProcess
from streamlcn.reconstruction._whole import MakeSlices
from streamlcn.reconstruction.settings import TomopySettings

__all__ = ["TomopyBackend", "gridrec_gain"]

PROBE_TIMEOUT_S = 120.0
KERNEL_C, KERNEL_LAMBDA, KERNEL_REACH = 7.0, 0.99998546, 2.0
KERNEL_LEGENDRE = (
    57.67616, -89.31343, 41.67596, -10.53599, 1.662374, -0.1780527,
    0.01372983, -7.963169e-4, 3.593372e-5, -1.295941e-6, 3.817796e-8,
)  # fmt: skip
"""gridrec's prolate spheroidal wave function in even Legendre polynomials."""


class TomopyBackend:
    """Probes tomopy's interpreter when made (`BadInput` when it is not usable), runs a process per scan."""

    def __init__(self, settings: TomopySettings) -> None:
        self._settings = settings
        if settings.device not in ("auto", "cpu", "cuda"):
            raise BadInput(f"device {settings.device!r} is nothing tomopy knows: say auto, cpu or cuda")
        try:
            with TomopyProcess(settings.python, PROBE_TIMEOUT_S) as process:
                found = process.ask({"op": "probe"})
        except ReconstructionFailed as error:
            raise BadInput(
                f"backend 'tomopy' is not available: {error}; install it from conda-forge in an environment "
                "of its own and name that interpreter in the profile (reconstruction.method.python)"
            ) from error
        if settings.device == "cuda" and not found["cuda"]:
            raise BadInput(
                f"device cuda needs ASTRA with a CUDA device in tomopy's environment (ASTRA there: "
                f"{found['astra']}, CUDA: {found['cuda']}): say device cpu or auto"
            )
        self._is_cuda = settings.device != "cpu" and found["cuda"]
        self.description = f"tomopy {found['tomopy']} " + (
            f"with astra {found['astra']} FBP_CUDA" if self._is_cuda else "gridrec"
        )

    @contextmanager
    def open(self) -> Iterator[MakeSlices]:
        """Run tomopy's process for one scan; see `WholeBackend`."""
        with TomopyProcess(self._settings.python, self._settings.timeout_s) as process:
            yield partial(self.by_astra if self._is_cuda else self.by_gridrec, process)

    def by_astra(
        self,
        process: TomopyProcess,
        lines: npt.NDArray[np.float32],
        angles_rad: npt.NDArray[np.float64],
        centre: float,
        *,
        projector: str = "cuda",
        algorithm: str = "FBP_CUDA",
    ) -> npt.NDArray[np.float32]:
        """Return (row, y, x) by tomopy's wrapper of ASTRA.

        One core, or many threads talk to one GPU. The axis is in the middle, so that nothing is rolled.
        """
        columns, padding = lines.shape[2], self._settings.padding
        width = needed_columns(columns, centre, padding)
        rows = aligned_rows(lines, centre, width, (width - 1) / 2, padding, threads=usable_threads())
        window = {"FilterType": ASTRA_FILTERS[self._settings.filter]}
        options: dict[str, Any] = {"proj_type": projector, "method": algorithm, "extra_options": window}
        if projector == "cuda":
            options["gpu_list"] = [0]
        volume = process.recon(
            _by_row(rows),
            angles_rad,
            algorithm="astra",
            centre=width / 2,
            ncore=1,
            options={"options": options, "num_gridx": columns, "num_gridy": columns},
        )
        require_values(volume, self.description)  # a worker thread's error is never read by tomopy
        first = (volume.shape[2] - columns) // 2
        return np.ascontiguousarray(volume[:, first : first + columns, first : first + columns])

    def by_gridrec(
        self,
        process: TomopyProcess,
        lines: npt.NDArray[np.float32],
        angles_rad: npt.NDArray[np.float64],
        centre: float,
    ) -> npt.NDArray[np.float32]:
        """Return (row, y, x) by gridrec."""
        columns, padding = lines.shape[2], self._settings.padding
        width = 1 << (2 * needed_columns(columns, centre, "zero") - 1).bit_length()
        half_pixel = 0.5 * (np.cos(angles_rad) + np.sin(angles_rad))
        rows = aligned_rows(lines, centre, width, width / 2, padding, half_pixel, usable_threads())
        response = ramp_response(width, self._settings.filter)
        volume = process.recon(
            _by_row(rows),
            angles_rad,
            algorithm="gridrec",
            centre=width / 2,
            ncore=usable_threads(),
            options={
                "filter_name": "custom",
                "filter_par": response[: width // 2].tolist(),
                "num_gridx": columns,
                "num_gridy": columns,
            },
        )
        require_values(volume, self.description)
        gain = gridrec_gain((np.arange(columns) - columns / 2) / width)
        volume /= (gain[:, np.newaxis] * gain[np.newaxis, :]).astype(np.float32)
        constant = np.pi / len(angles_rad) * response[0] * rows.sum(axis=(0, 2), dtype=np.float64) / width
        volume += constant.astype(np.float32)[:, np.newaxis, np.newaxis]
        return volume


def _by_row(rows: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return (row, angle, column) of (angle, row, column)."""
    return np.ascontiguousarray(rows.transpose(1, 0, 2))


def gridrec_gain(position: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return gridrec's gain along one axis at ``position`` (distance from the axis over the padded width).

    Its kernel reaches 2 samples of the frequency grid where the theory of its correction needs 2.23, so
    the transform of the kernel and the correction that divides by it differ.
    """
    series = np.zeros(2 * len(KERNEL_LEGENDRE) - 1)
    series[::2] = KERNEL_LEGENDRE

    def kernel(v: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        value: npt.NDArray[np.float64] = legendre.legval(v, series) / legendre.legval(0.0, series)
        return value

    nodes, weights = legendre.leggauss(64)
    taps = KERNEL_REACH * nodes
    waves = np.cos(2 * np.pi * position[:, np.newaxis] * taps)
    transform = KERNEL_REACH * waves @ (weights * kernel(nodes))
    norm = math.sqrt(math.pi / 2 / KERNEL_C / KERNEL_LAMBDA) / 1.2
    gain: npt.NDArray[np.float64] = transform * norm / kernel(2 * np.abs(position))
    return gain
