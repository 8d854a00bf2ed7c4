"""Pictures for people who watch: three centre slices, small, and the labels as a picture to lay over them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["LABEL_COLOURS", "centre_slices", "encode_labels", "encode_png"]

LABEL_COLOURS = np.array([[0, 0, 0], [128, 136, 148], [255, 168, 36], [64, 132, 255]], np.uint8)
"""Background, bone, LCN, shade-off; distinct for colour-blind eyes."""

_OPACITY = bytes([0, 0, 255, 255])
_LARGEST_SIDE = 512


def centre_slices(volume: npt.NDArray[np.generic]) -> dict[str, npt.NDArray[np.generic]]:
    """Return the planes ``xy``, ``xz`` and ``yz`` through the middle of ``volume`` (z, y, x)."""
    depth, height, width = volume.shape
    return {
        "xy": volume[depth // 2],
        "xz": volume[:, height // 2],
        "yz": volume[:, :, width // 2],
    }


def encode_png(grey: npt.NDArray[np.float32], *, window: tuple[float, float] | None = None) -> bytes:
    """Return a PNG of ``grey`` (row, column).

    The window is the 0.5 to 99.5 percentile unless given. Pictures wider than 512 pixels are thinned.
    """
    from PIL import Image

    thin = _thinned(grey)
    low, high = window or tuple(float(v) for v in np.percentile(thin, (0.5, 99.5)))
    scaled = np.clip((thin - low) / max(high - low, 1e-12), 0, 1) * 255
    return _png(Image.fromarray(scaled.astype(np.uint8)))


def encode_labels(labels: npt.NDArray[np.uint8]) -> bytes:
    """Return a PNG of ``labels`` (row, column), thinned as `encode_png` thins the slice below it.

    LCN and shade-off have their colours; background and bone are transparent.
    """
    from PIL import Image

    picture = Image.fromarray(np.ascontiguousarray(_thinned(labels)))
    picture.putpalette(LABEL_COLOURS.tobytes())
    return _png(picture, transparency=_OPACITY)


def _thinned(picture: npt.NDArray[Any]) -> npt.NDArray[Any]:
    step = -(-max(picture.shape) // _LARGEST_SIDE)
    return picture[::step, ::step]


def _png(picture: Image.Image, **options: Any) -> bytes:
    target = io.BytesIO()
    picture.save(target, "PNG", compress_level=3, **options)
    return target.getvalue()
