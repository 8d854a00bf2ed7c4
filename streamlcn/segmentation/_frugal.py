"""Inference that makes do with the memory there is: smaller tiles, then the CPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from streamlcn.errors import SegmentationFailed
from streamlcn.segmentation._build import Network
from streamlcn.segmentation._inference import TILE_PX, GetSlice, SliceInference, sight_px
from streamlcn.shortage import Parts, Shortage, announce, free_cache, is_shortage

__all__ = ["CPU", "Place", "at_first_fit", "frugal_logits", "here_or_on_cpu"]

CPU = torch.device("cpu")

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Place:
    """A device, and what brings the network there."""

    device: torch.device
    network: Callable[[], Network]


def frugal_logits(
    places: Sequence[Place],
    get_slice: GetSlice,
    shape: tuple[int, int, int],
    precision: torch.dtype,
    tile_px: int = TILE_PX,
    rows: tuple[int, int] | None = None,
) -> Iterator[Tensor]:
    """Yield logits (class, y, x) float32 of each slice of a volume (z, y, x), each slice once.

    Of slices ``rows`` (first, after the last) alone, if given. When memory runs out tiles are halved, down to
    what a label can see; beyond that the next place goes on at the slice that did not fit.
    Raises `SegmentationFailed` when it does not fit into the last one.
    """
    z, stop = rows or (0, shape[0])
    for index, place in enumerate(places):
        try:
            for logits in _from(z, stop, place, get_slice, shape, precision, tile_px):
                yield logits
                z += 1
        except Exception as error:
            if not is_shortage(error):
                raise
            why = str(error)
        else:
            return
        _leave(place, places[index + 1 :], f"slices of {shape[1]} x {shape[2]} pixels", why)


def _from(
    z: int,
    stop: int,
    place: Place,
    get_slice: GetSlice,
    shape: tuple[int, int, int],
    precision: torch.dtype,
    tile_px: int,
) -> Iterator[Tensor]:
    network = place.network()
    slices = SliceInference(network, get_slice, shape[0], place.device, precision)
    size = min(tile_px, max(shape[1:]))
    tiles = Parts("segment", str(place.device), "pixels per side of a tile", size, sight_px(network.config))
    for each in range(z, stop):

        def step(px: int, each: int = each) -> Tensor:
            slices.is_keeping = not tiles.is_halved
            with torch.inference_mode():
                return slices.logits(each, px)

        yield tiles.do(step)


def at_first_fit(places: Sequence[Place], work: Callable[[Network, torch.device], _T]) -> _T:
    """Return ``work(network, device)`` at the first place with enough memory.

    Raises `SegmentationFailed` when there is none.
    """
    for index, place in enumerate(places):
        try:
            return work(place.network(), place.device)
        except Exception as error:
            if not is_shortage(error):
                raise
            why = str(error)
        _leave(place, places[index + 1 :], "whole slices", why)
    raise AssertionError("there is no place to work at")


def here_or_on_cpu(work: Callable[[Tensor], _T], values: Tensor) -> _T:
    """Return ``work(values)``, on the CPU where their device has no memory for it."""
    try:
        return work(values)
    except Exception as error:
        if not is_shortage(error):
            raise
        why = str(error)
    free_cache()
    announce(Shortage("segment", str(values.device), "labels were made on the CPU"), why)
    return work(values.cpu())


def _leave(place: Place, rest: Sequence[Place], what: str, why: str) -> None:
    """Say where the work goes on; raises `SegmentationFailed` when that is nowhere."""
    if not rest:
        raise SegmentationFailed(
            f"{what} do not fit into the memory of {place.device}, however small the tiles ({why}): free or "
            "add memory, or crop or bin the scan (reconstruction.correction)"
        )
    free_cache()
    announce(Shortage("segment", str(place.device), f"went on on {rest[0].device}, more slowly"), why)
