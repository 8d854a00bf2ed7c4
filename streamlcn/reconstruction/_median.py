"""Median over a disc, by a sorting network that runs along whole rows.

Each pair of a pruned Batcher network (Knuth, The Art of Computer Programming 3, 5.3.4) is one vectorised
minimum and maximum over a row of pixels, so that the cost per pixel is a few nanoseconds.
"""

from __future__ import annotations

from functools import cache

import numba
import numpy as np
import numpy.typing as npt

__all__ = ["disc_offsets", "median_filter"]


def median_filter(frame: npt.NDArray[np.float32], radius_px: int) -> npt.NDArray[np.float32]:
    """Return the median over the disc of ``radius_px`` around each pixel of ``frame`` (row, column).

    The disc is ImageJ's (dx² + dy² <= r² + 1: 9 pixels for 1, 21 for 2); edge pixels repeat outwards.
    Values must be finite.
    """
    if radius_px == 0:
        return frame
    padded = np.pad(frame, radius_px, mode="edge")
    offsets = disc_offsets(radius_px)
    out = np.empty(frame.shape, np.float32)
    _run_network(padded, offsets, _median_network(len(offsets)), out)
    return out


@cache
def disc_offsets(radius_px: int) -> npt.NDArray[np.int64]:
    """Return (count, 2) row and column offsets of the disc, from 0 to 2 r."""
    span = np.arange(-radius_px, radius_px + 1)
    rows, columns = np.meshgrid(span, span, indexing="ij")
    inside = rows**2 + columns**2 <= radius_px**2 + 1
    return np.stack([rows[inside], columns[inside]], axis=1).astype(np.int64) + radius_px


@cache
def _median_network(count: int) -> npt.NDArray[np.int64]:
    """Return (comparators, 2) wires of a network whose middle wire ends as the median of ``count`` values."""
    pairs = list(_batcher_pairs(count))
    wanted = {count // 2}
    kept = []
    for low, high in reversed(pairs):
        if low in wanted or high in wanted:
            wanted |= {low, high}
            kept.append((low, high))
    return np.array(kept[::-1], dtype=np.int64)


def _batcher_pairs(count: int) -> list[tuple[int, int]]:
    """Batcher's merge exchange sort for any number of wires (Knuth's algorithm M)."""
    pairs = []
    top = 1 << max(count - 1, 1).bit_length() - 1
    p = top
    while p > 0:
        q, r, d = top, 0, p
        while True:
            pairs += [(i, i + d) for i in range(count - d) if i & p == r]
            if q == p:
                break
            q, r, d = q >> 1, p, q - p
        p >>= 1
    return pairs


@numba.njit(nogil=True, cache=True)
def _run_network(padded, offsets, pairs, out):  # type: ignore[no-untyped-def]
    rows, columns = out.shape
    count = offsets.shape[0]
    wires = np.empty((count, columns), np.float32)
    for row in range(rows):
        for wire in range(count):
            source = padded[row + offsets[wire, 0]]
            first = offsets[wire, 1]
            target = wires[wire]
            for column in range(columns):
                target[column] = source[first + column]
        for pair in range(pairs.shape[0]):
            low = wires[pairs[pair, 0]]
            high = wires[pairs[pair, 1]]
            for column in range(columns):
                a = low[column]
                b = high[column]
                low[column] = a if a < b else b
                high[column] = b if a < b else a
        middle = wires[count // 2]
        for column in range(columns):
            out[row, column] = middle[column]
