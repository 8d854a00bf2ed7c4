"""The functions of this room; what is heavy is imported when it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from streamlcn.errors import BadInput
from streamlcn.model import Frame, FrameKind, Reference, Scan
from streamlcn.ports import Reconstruction
from streamlcn.reconstruction._providers import make_reconstructor
from streamlcn.reconstruction._reference import make_reference, neutral_reference
from streamlcn.reconstruction.settings import (
    AstraSettings,
    CentreSettings,
    CorrectionSettings,
    FbpSettings,
    MethodSettings,
    ReconstructionSettings,
    TomopySettings,
)

if TYPE_CHECKING:
    from streamlcn.reconstruction._centre import Centre

__all__ = ["find_centre", "open_whole_scan", "reconstruct", "volume_shape"]


def reconstruct(
    projections: npt.ArrayLike,
    flats: npt.ArrayLike | None,
    darks: npt.ArrayLike | None,
    angles_rad: npt.ArrayLike,
    *,
    centre: float | Literal["auto"] = "auto",
    backend: Literal["fbp", "astra", "tomopy"] = "fbp",
    device: str = "auto",
    settings: ReconstructionSettings | None = None,
    phase_shift_rad: float | None = None,
    is_line_integral: bool = False,
    flats_after: npt.ArrayLike | None = None,
) -> npt.NDArray[np.float32]:
    """Reconstruct a whole scan at once: the same bits as its stream with the same settings.

    Parameters
    ----------
    projections, flats, darks
        (index, row, column) counts, or line integrals when ``is_line_integral`` (then flats and darks
        may be None). Flats taken after the scan may come apart, as ``flats_after``: the settings say which
        of them count.
    angles_rad
        (index,) angles in radians, any set in any order.
    centre
        Axis of rotation in pixels, 0.0 at the centre of column 0, or "auto".
    backend, device
        How and where, unless ``settings`` say it.
    settings
        A profile's reconstruction settings. Without them nothing is smoothed: no median, no ring filter.
    phase_shift_rad
        Shift of a Zernike plate, which decides the sign of the contrast; None for absorption.

    Returns
    -------
    (z, y, x) float32 attenuation in 1/pixel, zero outside the circle that the detector sees.

    Raises
    ------
    BadInput
        For arrays that do not fit each other or hold values that are not numbers.
    MissingReference
        For missing or unusable flats or darks.
    ReconstructionFailed
        When the backend cannot give a volume.
    """
    stack, angles = _checked(projections, angles_rad)
    settings = _merged(settings, centre, backend, device)
    if is_line_integral:
        reference = neutral_reference((stack.shape[1], stack.shape[2]))
    else:
        reference = make_reference(flats, darks, flats_after)
        if reference.flat.shape != stack.shape[1:]:
            raise BadInput(
                f"projections are {stack.shape[1:]} pixels but flats and darks {reference.flat.shape}: "
                "they must show the same region of the detector"
            )
    scan = Scan(
        uid="file",
        projection_count=len(stack),
        detector_shape=(stack.shape[1], stack.shape[2]),
        voxel_size_um=1.0,
        phase_shift_rad=phase_shift_rad,
        is_line_integral=is_line_integral,
    )
    with open_whole_scan(settings, scan, reference) as session:
        for index, (pixels, angle) in enumerate(zip(stack, angles, strict=True)):
            session.add(Frame(kind=FrameKind.PROJECTION, index=index, angle_rad=float(angle), pixels=pixels))
        return np.concatenate([slab.voxels for slab in session.finish()])


def find_centre(projections: npt.ArrayLike, angles_rad: npt.ArrayLike) -> Centre:
    """Find the axis of rotation from projections (index, row, column) at ``angles_rad`` (index,).

    Takes line integrals, or raw counts: integers, or floats whose borders are brighter than their middle.
    Of raw counts the logarithm is taken, and each column's least value stands in for the flat: that is good
    to a pixel.
    Raises `BadInput` for arrays that do not fit, fewer than 8 projections or empty ones.
    """
    from streamlcn.reconstruction._accumulator import usable_threads
    from streamlcn.reconstruction._centre import centre_rows, centre_without_flat, estimate_centre

    stack, angles = _checked(projections, angles_rad)
    votes = stack[:, centre_rows(stack.shape[1])]
    lines = votes.astype(np.float32)
    if _is_raw(votes):
        lines = -np.log(np.maximum(lines, 1e-6 * float(lines.max())))
        return centre_without_flat(lines, angles, usable_threads())
    return estimate_centre(lines, angles, usable_threads())


def open_whole_scan(settings: ReconstructionSettings, scan: Scan, reference: Reference) -> Reconstruction:
    """Open the reconstruction of a scan whose projections are all there: the same bits as while it runs.

    An unknown centre is found before anything is back-projected, once and not twice.
    """
    return make_reconstructor(settings, is_whole=True).start(scan, reference)


def _checked(
    projections: npt.ArrayLike, angles_rad: npt.ArrayLike
) -> tuple[npt.NDArray[np.uint16] | npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    stack = np.asarray(projections)
    angles = np.asarray(angles_rad, dtype=np.float64)
    if stack.ndim != 3 or 0 in stack.shape:
        raise BadInput(f"projections must be (index, row, column), not of shape {stack.shape}")
    if stack.dtype.kind not in "uif":
        raise BadInput(f"projections of dtype {stack.dtype} are no counts: give integers or floats")
    if angles.shape != (len(stack),):
        raise BadInput(f"{len(stack)} projections need as many angles, not an array of shape {angles.shape}")
    if not np.isfinite(angles).all():
        raise BadInput(f"angle {int(np.argwhere(~np.isfinite(angles))[0, 0])} is not a number")
    if len(stack) < 3:
        raise BadInput(f"{len(stack)} projections are no tomography, at least 3 are needed")
    if stack.dtype.kind == "f" and not np.isfinite(stack).all():
        index, row, column = np.argwhere(~np.isfinite(stack))[0]
        raise BadInput(
            f"projection {index} holds a value that is not a number at row {row}, column {column}: "
            "leave it out together with its angle"
        )
    return stack if stack.dtype == np.uint16 else stack.astype(np.float32), angles


def _is_raw(votes: npt.NDArray[np.uint16] | npt.NDArray[np.float32]) -> bool:
    if votes.dtype.kind != "f":
        return True
    border = np.concatenate([votes[..., :3], votes[..., -3:]], axis=-1)
    return bool(votes.min() >= 0 and np.median(border) > np.median(votes))


def _merged(
    settings: ReconstructionSettings | None, centre: float | Literal["auto"], backend: str, device: str
) -> ReconstructionSettings:
    if settings is None:
        methods: dict[str, type[FbpSettings] | type[AstraSettings] | type[TomopySettings]] = {
            "fbp": FbpSettings,
            "astra": AstraSettings,
            "tomopy": TomopySettings,
        }
        if backend not in methods:
            raise BadInput(f"there is no backend {backend!r}: say one of {', '.join(methods)}")
        method: MethodSettings = methods[backend](device=device)
        settings = ReconstructionSettings(correction=CorrectionSettings(median_radius_px=0), method=method)
    elif (backend, device) != ("fbp", "auto"):
        raise BadInput("backend and device are said twice: leave them out, or leave out settings")
    if centre == "auto":
        return settings
    if not np.isfinite(centre):
        raise BadInput(f"centre {centre} is not a number: give pixels, or 'auto'")
    return settings.model_copy(
        update={"centre": CentreSettings(value=float(centre), tolerance_px=settings.centre.tolerance_px)}
    )


def volume_shape(settings: ReconstructionSettings, detector_shape: tuple[int, int]) -> tuple[int, int, int]:
    """Return (z, y, x) of the volume of a detector (row, column), cropped and binned as the settings say.

    Raises `BadInput` when nothing is left.
    """
    from streamlcn.reconstruction._region import Region

    rows, columns = Region.of(settings.correction, detector_shape).shape
    return rows, columns, columns
