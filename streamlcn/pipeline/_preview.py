"""Pictures for people who watch: three centre slices, small, grey or with the labels laid over."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt

__all__ = ["LABEL_COLOURS", "centre_slices", "encode_png"]

LABEL_COLOURS = np.array([[0, 0, 0], [128, 136, 148], [255, 168, 36], [64, 132, 255]], np.uint8)
"""Background, bone, LCN, shade-off; distinct for colour-blind eyes."""

_LARGEST_SIDE = 512


def centre_slices(volume: npt.NDArray[np.generic]) -> dict[str, npt.NDArray[np.generic]]:
    """Return the planes ``xy``, ``xz`` and ``yz`` through the middle of ``volume`` (z, y, x)."""
    depth, height, width = volume.shape
    return {
        "xy": volume[depth // 2],
        "xz": volume[:, height // 2],
        "yz": volume[:, :, width // 2],
    }


def encode_png(
    grey: npt.NDArray[np.float32],
    labels: npt.NDArray[np.uint8] | None = None,
    *,
    window: tuple[float, float] | None = None,
) -> bytes:
    """Return a PNG of ``grey`` (row, column), with ``labels`` of the same shape laid over it.

    The window is the 0.5 to 99.5 percentile unless given. Pictures wider than 512 pixels are thinned.
    """
    from PIL import Image

    step = -(-max(grey.shape) // _LARGEST_SIDE)
    thin = grey[::step, ::step]
    low, high = window or tuple(float(v) for v in np.percentile(thin, (0.5, 99.5)))
    scaled = (np.clip((thin - low) / max(high - low, 1e-12), 0, 1) * 255).astype(np.uint8)
    picture = Image.fromarray(scaled)
    if labels is not None:
        colour = LABEL_COLOURS[labels[::step, ::step]].astype(np.float32)
        shown = labels[::step, ::step, None] > 1
        mixed = np.where(shown, 0.35 * scaled[..., None] + 0.65 * colour, scaled[..., None])
        picture = Image.fromarray(mixed.astype(np.uint8))
    target = io.BytesIO()
    picture.save(target, "PNG", compress_level=3)
    return target.getvalue()
