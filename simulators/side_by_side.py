"""Work on many small arrays at once: a thread for each, none of which waits for another."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def each(work: Callable[[_Item], _Result], items: Iterable[_Item], *, device: str) -> list[_Result]:
    """Return what ``work`` makes of every item, in order; on a CPU torch computes in one thread for each.

    Left alone, torch splits every operation among its threads, which then wait for each other dozens of
    times an image; where other processes want the processors too, each wait can last a time slice. Besides,
    the bits of a result then do not depend on the number of threads.
    An exception, in a thread or in the caller's wait, leaves out what has not begun.
    """
    import torch

    if device != "cpu":
        return [work(item) for item in items]
    count = torch.get_num_threads()
    pool = ThreadPoolExecutor(count, initializer=torch.set_num_threads, initargs=(1,))
    try:
        return list(pool.map(work, items))
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(count)  # threads that begin later take over the number that was set last
