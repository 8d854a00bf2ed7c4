"""Pieces of an array, in any order, become whole chunks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from streamlcn.errors import StoreFailed

__all__ = ["ChunkedArray"]


class ChunkedArray:
    """One announced array: collects slices until a chunk is whole, then hands it on.

    ``send(place, first, values)`` gets a whole chunk: its number, its first index and its values.
    ``amend(first, values)`` gets a piece of a chunk that has been sent before.
    """

    def __init__(
        self,
        key: str,
        shape: tuple[int, ...],
        dtype: np.dtype[Any],
        heights: tuple[int, ...],
        send: Callable[[int, int, npt.NDArray[Any]], None],
        amend: Callable[[int, npt.NDArray[Any]], None],
    ) -> None:
        self.key, self.shape, self.dtype, self.heights = key, shape, dtype, heights
        self._send, self._amend = send, amend
        self._starts = np.concatenate(([0], np.cumsum(heights))).astype(int)
        self._seen = np.zeros(shape[0], bool)
        self._sent = [False] * len(heights)
        self._partial: dict[int, npt.NDArray[Any]] = {}

    @staticmethod
    def named(arrays: Mapping[str, ChunkedArray], key: str) -> ChunkedArray:
        """Return the array announced as ``key``; raises `StoreFailed` where there is none."""
        if key not in arrays:
            raise StoreFailed(f"{key} was not announced; there are {', '.join(arrays) or 'none'}")
        return arrays[key]

    def require_whole(self) -> None:
        """Raise `StoreFailed` if slices were never written."""
        missing = np.flatnonzero(~self._seen)
        if len(missing):
            raise StoreFailed(
                f"{self.key}: {len(missing)} of {self.shape[0]} slices were never written, "
                f"the first is {missing[0]}"
            )

    def write(self, start: int, block: npt.NDArray[Any]) -> None:
        """Take ``block`` at ``start`` along the first axis; raises `StoreFailed` where it does not fit."""
        stop = start + len(block)
        if block.shape[1:] != self.shape[1:] or not 0 <= start <= stop <= self.shape[0]:
            raise StoreFailed(f"{self.key}: a block {block.shape} at {start} does not fit into {self.shape}")
        if block.dtype != self.dtype:
            raise StoreFailed(f"{self.key}: a block of {block.dtype} in an array of {self.dtype}")
        first = int(np.searchsorted(self._starts, start, "right")) - 1
        for place in range(first, len(self.heights)):
            low, high = int(self._starts[place]), int(self._starts[place + 1])
            if low >= stop:
                break
            begin, end = max(low, start), min(high, stop)
            self._write_piece(place, low, begin, block[begin - start : end - start])

    def flush(self) -> None:
        """Hand on chunks that never became whole; what is missing in them is zero."""
        for place in sorted(self._partial):
            self._hand_on(place, self._partial.pop(place))

    def _write_piece(self, place: int, low: int, begin: int, piece: npt.NDArray[Any]) -> None:
        self._seen[begin : begin + len(piece)] = True
        if len(piece) == self.heights[place]:
            self._partial.pop(place, None)
            self._hand_on(place, piece)
        elif self._sent[place]:
            self._amend(begin, piece)
        else:
            chunk = self._partial.get(place)
            if chunk is None:
                chunk = np.zeros((self.heights[place], *self.shape[1:]), self.dtype)
                self._partial[place] = chunk
            chunk[begin - low : begin - low + len(piece)] = piece
            if self._seen[low : low + len(chunk)].all():
                self._hand_on(place, self._partial.pop(place))

    def _hand_on(self, place: int, chunk: npt.NDArray[Any]) -> None:
        self._send(place, int(self._starts[place]), np.ascontiguousarray(chunk))
        self._sent[place] = True
