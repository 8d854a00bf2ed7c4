"""Filtered back-projection by the ASTRA toolbox (GPL-3, never bundled): FBP on a CPU, FBP_CUDA on a GPU.

The sub-pixel centre is ours, because ASTRA's FBP on a CPU knows none: rows are moved so that the axis is in
their middle.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from types import ModuleType

import numpy as np
import numpy.typing as npt

from streamlcn.errors import BadInput, ReconstructionFailed
from streamlcn.reconstruction._accumulator import usable_threads
from streamlcn.reconstruction._aligned import aligned_rows, needed_columns
from streamlcn.reconstruction._whole import MakeSlices
from streamlcn.reconstruction.settings import AstraSettings, FilterName

__all__ = ["ASTRA_FILTERS", "AstraBackend"]

ASTRA_FILTERS: dict[FilterName, str] = {
    "ramlak": "ram-lak",
    "shepp": "shepp-logan",
    "cosine": "cosine",
    "hamming": "hamming",
    "hann": "hann",
}


class AstraBackend:
    """Makes slices one by one; raises `BadInput` when ASTRA, or the GPU asked for, is not there."""

    def __init__(self, settings: AstraSettings) -> None:
        self._settings = settings
        self._astra = _import_astra()
        is_cuda = settings.device == "cuda" or (settings.device == "auto" and self._astra.use_cuda())
        if settings.device not in ("auto", "cpu", "cuda"):
            raise BadInput(f"device {settings.device!r} is nothing ASTRA knows: say auto, cpu or cuda")
        if is_cuda and not self._astra.use_cuda():
            raise BadInput("ASTRA finds no CUDA device here: say device cpu or auto")
        self._algorithm = "FBP_CUDA" if is_cuda else "FBP"
        self.description = f"astra {self._astra.__version__} {self._algorithm}" + (
            "" if is_cuda else f" ({settings.projector})"
        )

    def open(self) -> AbstractContextManager[MakeSlices]:
        """Hold nothing; see `WholeBackend`."""
        return nullcontext(self._slices)

    def _slices(
        self, lines: npt.NDArray[np.float32], angles_rad: npt.NDArray[np.float64], centre: float
    ) -> npt.NDArray[np.float32]:
        columns = lines.shape[2]
        width = needed_columns(columns, centre, self._settings.padding)
        rows = aligned_rows(
            lines, centre, width, (width - 1) / 2, self._settings.padding, threads=usable_threads()
        )
        volume = np.empty((lines.shape[1], columns, columns), np.float32)
        try:
            for z, image in enumerate(volume):
                image[:] = self._slice(np.ascontiguousarray(rows[:, z]), angles_rad, columns)
        except Exception as error:
            raise ReconstructionFailed(f"{self.description} failed: {error}") from error
        return volume

    def _slice(
        self, rows: npt.NDArray[np.float32], angles_rad: npt.NDArray[np.float64], columns: int
    ) -> npt.NDArray[np.float32]:
        astra = self._astra
        volume_geometry = astra.create_vol_geom(columns, columns)
        geometry = astra.create_proj_geom("parallel", 1.0, rows.shape[1], angles_rad)
        made: list[tuple[ModuleType, int]] = []

        def own(module: ModuleType, number: int) -> int:
            made.append((module, number))
            return number

        try:
            config = astra.astra_dict(self._algorithm)
            config["ProjectionDataId"] = own(astra.data2d, astra.data2d.create("-sino", geometry, rows))
            config["ReconstructionDataId"] = own(astra.data2d, astra.data2d.create("-vol", volume_geometry))
            config["FilterType"] = ASTRA_FILTERS[self._settings.filter]
            if self._algorithm == "FBP":
                projector = astra.create_projector(self._settings.projector, geometry, volume_geometry)
                config["ProjectorId"] = own(astra.projector, projector)
            algorithm = own(astra.algorithm, astra.algorithm.create(config))
            astra.algorithm.run(algorithm)
            image: npt.NDArray[np.float32] = astra.data2d.get(config["ReconstructionDataId"])
            return image
        finally:
            for module, number in reversed(made):
                module.delete(number)


def _import_astra() -> ModuleType:
    try:
        import astra
    except ImportError as error:
        raise BadInput(
            f"backend 'astra' is not installed here ({error}): pip install 'streamlcn[astra]', "
            "or name another backend in the profile"
        ) from error
    module: ModuleType = astra
    return module
