"""Which backend reconstructs: the one that the profile names, or what stands in for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from streamlcn.errors import BadInput
from streamlcn.model import Reference, Scan
from streamlcn.ports import Reconstruction, Reconstructor
from streamlcn.reconstruction.settings import (
    AstraSettings,
    FbpSettings,
    ReconstructionSettings,
    TomopySettings,
)

if TYPE_CHECKING:
    from streamlcn.reconstruction._volumes import OpenVolumes
    from streamlcn.reconstruction._whole import WholeBackend

__all__ = ["FbpReconstructor", "WholeReconstructor", "make_reconstructor"]

_log = structlog.get_logger(__name__)


def make_reconstructor(
    settings: ReconstructionSettings, *, is_whole: bool = False, open_volumes: OpenVolumes | None = None
) -> Reconstructor:
    """Return the provider of the backend that the settings name.

    When it is not usable here and the settings let ``fbp`` stand in for it, that is returned: its
    ``description`` and the log say why. ``is_whole`` says that scans are complete when they are opened,
    ``open_volumes`` where volumes of ``fbp`` grow, by default in this process.
    Raises `BadInput` when nothing usable is left.
    """
    method = settings.method
    if isinstance(method, FbpSettings):
        return FbpReconstructor(settings, is_whole=is_whole, open_volumes=open_volumes)
    try:
        backend = _make_backend(method)
    except BadInput as error:
        if method.fallback == "none":
            raise
        _log.warning("reconstruction_fell_back", wanted=method.backend, to="fbp", why=str(error))
        why = f"because {method.backend} is not usable: {error}"
        return FbpReconstructor(_stand_in(settings), is_whole=is_whole, why=why, open_volumes=open_volumes)
    return WholeReconstructor(settings, method.backend, backend)


class FbpReconstructor:
    """Opens sessions of our own filtered back-projection.

    The centre of the last scan, as found, is where the next one's is looked for until it is found itself; the
    volume depends on the final one alone.
    """

    name = "fbp"

    def __init__(
        self,
        settings: ReconstructionSettings,
        *,
        is_whole: bool = False,
        why: str = "",
        open_volumes: OpenVolumes | None = None,
    ) -> None:
        self._settings, self._is_whole, self._why = settings, is_whole, why
        self._open_volumes = open_volumes
        self._centres: dict[tuple[int, int] | None, float] = {}

    @property
    def description(self) -> str:
        """What runs, and why if something else was asked for."""
        assert isinstance(self._settings.method, FbpSettings)
        return self._settings.method.description + (f", {self._why}" if self._why else "")

    def start(self, scan: Scan, reference: Reference) -> Reconstruction:
        """Open the reconstruction of one scan; raises `ReconstructionFailed`."""
        from streamlcn.reconstruction._session import FbpReconstruction

        shape = scan.detector_shape

        def remember(centre: float) -> None:
            self._centres[shape] = centre

        return FbpReconstruction(
            scan,
            reference,
            self._settings,
            is_whole=self._is_whole,
            hint_px=self._centres.get(shape),
            on_final=remember,
            why=self._why,
            volumes=None if self._open_volumes is None else self._open_volumes(scan),
        )


class WholeReconstructor:
    """Opens sessions of a package that wants all projections at once."""

    def __init__(self, settings: ReconstructionSettings, name: str, backend: WholeBackend) -> None:
        self.name, self.description = name, backend.description
        self._settings, self._backend = settings, backend

    def start(self, scan: Scan, reference: Reference) -> Reconstruction:
        """Open the reconstruction of one scan; raises `ReconstructionFailed`."""
        from streamlcn.reconstruction._whole import WholeReconstruction

        method = self._settings.method
        assert not isinstance(method, FbpSettings)
        stand_in = _stand_in(self._settings) if method.fallback == "fbp" else None
        return WholeReconstruction(scan, reference, self._settings, self._backend, stand_in)


def _make_backend(method: AstraSettings | TomopySettings) -> WholeBackend:
    if isinstance(method, AstraSettings):
        from streamlcn.reconstruction._astra import AstraBackend

        return AstraBackend(method)
    from streamlcn.reconstruction._tomopy import TomopyBackend

    return TomopyBackend(method)


def _stand_in(settings: ReconstructionSettings) -> ReconstructionSettings:
    """Return the same reconstruction by our own back-projection."""
    method = settings.method
    return settings.model_copy(update={"method": FbpSettings(filter=method.filter, padding=method.padding)})
