"""Slabs that this process has under way.

They are a memory and no state: a slab that is not here any more is made again from its steps, with the same
bits.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from streamlcn.reconstruction._accumulator import Accumulator
from streamlcn.reconstruction._devices import memory_bytes

__all__ = ["GrowingSlab", "GrowingSlabs"]

_SHARE = 0.6  # a dask worker pauses at 0.8 of its limit

_Key = tuple[Path, str, int]


@dataclass(slots=True)
class GrowingSlab:
    """An accumulator that has its first ``count`` steps."""

    accumulator: Accumulator
    count: int
    size_bytes: int
    device: str


class GrowingSlabs:
    """Keeps as many slabs as fit; the one that was used longest ago goes first.

    A slab is taken out to be worked on, so that no two threads have it and none is kept half done.
    """

    def __init__(self) -> None:
        self._slabs: dict[_Key, GrowingSlab] = {}
        self._lock = threading.Lock()

    def take(self, key: _Key) -> GrowingSlab | None:
        """Return a slab, which is kept here no longer."""
        with self._lock:
            return self._slabs.pop(key, None)

    def put(self, key: _Key, slab: GrowingSlab) -> None:
        """Keep a slab, and none of scans that are over or of earlier attempts at this one."""
        folder, attempt, _ = key
        with self._lock:
            gone = [
                other
                for other in self._slabs
                if other == key or (other[0] == folder and other[1] != attempt) or not other[0].exists()
            ]
            dropped = [self._slabs.pop(other) for other in gone]
            self._slabs[key] = slab
        for each in dropped:
            each.accumulator.close()

    def make_room(self, size_bytes: int, device: str) -> None:
        """Drop slabs until there is room for one more of this size on this device."""
        limit = _SHARE * _memory_of(device)
        while True:
            with self._lock:
                there = [(key, slab) for key, slab in self._slabs.items() if slab.device == device]
                if not there or sum(slab.size_bytes for _, slab in there) + size_bytes <= limit:
                    return
                del self._slabs[there[0][0]]
            there[0][1].accumulator.close()


def _memory_of(device: str) -> float:
    if device != "cpu" and "cpu" not in device:
        import torch

        return float(torch.cuda.mem_get_info(torch.device(device))[1])
    from distributed import get_worker

    try:
        limit = get_worker().memory_manager.memory_limit
    except ValueError:  # not in a worker
        limit = None
    return float(limit or memory_bytes())
