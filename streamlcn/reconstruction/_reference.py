"""Flats and darks become one reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from streamlcn.errors import MissingReference
from streamlcn.model import Reference

__all__ = ["MAX_DEAD_FRACTION", "dead_pixels", "make_reference", "neutral_reference"]

MAX_DEAD_FRACTION = 0.01
"""More pixels than this without light in the flat is no detector fault but a wrong flat."""


def make_reference(
    flats: npt.ArrayLike | None, darks: npt.ArrayLike | None, flats_after: npt.ArrayLike | None = None
) -> Reference:
    """Average flats and darks, each (index, row, column) or one (row, column), any real dtype.

    Frames are averaged in float64. Flats taken after the scan may be given apart from those before, so that
    a profile can say which of them count. Raises `MissingReference` when flats or darks are missing, empty,
    not finite, or when the flats show no light: a flat frame that is not brighter than the dark, or more
    than 1 % of pixels without light.
    """
    dark_stack = _stack(darks, "dark")
    dark = dark_stack.mean(axis=0)
    flat = _lit_flat(_stack(flats, "flat"), dark)
    after = None if flats_after is None else _lit_flat(_stack(flats_after, "flat"), dark)
    return Reference(dark=dark.astype(np.float32), flat=flat, flat_after=after)


def neutral_reference(shape: tuple[int, int]) -> Reference:
    """Return the (row, column) reference that changes nothing, for frames that are line integrals already."""
    dark = np.zeros(shape, np.float32)
    return Reference(dark=dark, flat=dark + 1)


def dead_pixels(reference: Reference) -> npt.NDArray[np.bool_]:
    """Return (row, column) True where a flat is not brighter than the dark."""
    dead = ~(reference.flat > reference.dark)
    if reference.flat_after is not None:
        dead |= ~(reference.flat_after > reference.dark)
    return dead


def _lit_flat(stack: npt.NDArray[np.float64], dark: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    if stack.shape[1:] != dark.shape:
        raise MissingReference(
            f"flats are {stack.shape[1:]} pixels but darks {dark.shape}: "
            "take both with the same region of interest and binning"
        )
    for index, frame in enumerate(stack):
        if frame.mean() <= dark.mean():
            raise MissingReference(
                f"flat {index} of {len(stack)} is no brighter than the dark (mean {frame.mean():.6g} "
                f"against {dark.mean():.6g}): was the shutter closed, "
                "or are flats and darks swapped in the profile?"
            )
    flat = stack.mean(axis=0).astype(np.float32)
    dead = ~(flat > dark.astype(np.float32))
    if dead.mean() > MAX_DEAD_FRACTION:
        row, column = np.argwhere(dead)[0]
        raise MissingReference(
            f"{dead.mean():.1%} of pixels have no light in the flat (first: row {row}, column {column}): "
            "take flats with the sample out of the beam, or crop the detector to its lit region"
        )
    return flat


def _stack(frames: npt.ArrayLike | None, kind: str) -> npt.NDArray[np.float64]:
    remedy = f"take {kind}s in the scan, or name in the profile the stream or file that holds them"
    if frames is None:
        raise MissingReference(f"no {kind} frames: {remedy}")
    stack: npt.NDArray[Any] = np.asarray(frames)
    if stack.ndim == 2:
        stack = stack[np.newaxis]
    if stack.ndim != 3 or stack.size == 0:
        raise MissingReference(f"no {kind} frames in an array of shape {stack.shape}: {remedy}")
    stack = stack.astype(np.float64)
    if not np.isfinite(stack).all():
        index, row, column = np.argwhere(~np.isfinite(stack))[0]
        raise MissingReference(
            f"{kind} {index} holds a value that is not a number at row {row}, column {column}: "
            f"leave that frame out, or {remedy}"
        )
    return stack
