"""Which frames of a file are those whose documents were lost: by counting, and only where that is certain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

__all__ = ["Slot", "placed", "ranges"]

Slot = tuple[str, int]
"""(stream, seq_num)."""


def placed(
    known: Mapping[int, Slot],
    missing: Mapping[str, Sequence[int]],
    length: int | None,
    order: Sequence[Slot] | None = None,
) -> dict[int, Slot]:
    """Return index: slot for the missing slots that can be in one place only.

    A detector writes frames in the order of a stream's seq_nums, so the missing ones lie between their
    neighbours; where just as many places are free there as slots are missing, each has its place. Before a
    stream's first known slot and after its last this holds if the file holds what is known and what is
    missing, and nothing else. A slot that is known twice was taken again after a pause: then nothing is
    certain.

    Parameters
    ----------
    known
        Index in the file, counted in events: slot, from documents.
    missing
        Stream: seq_nums that are not known, in ascending order.
    length
        How many events the closed file holds; None while it grows.
    order
        All slots by the times of their events, where those are known; believed if it agrees with all that is
        known, and with the length.
    """
    if len(set(known.values())) != len(known):
        return {}
    is_accounted = length is not None and len(known) + sum(map(len, missing.values())) == length
    if order is not None and is_accounted and len(set(order)) == len(order) == length:
        wanted = {(stream, seq) for stream, seqs in missing.items() for seq in seqs}
        if all(order[index] == slot for index, slot in known.items()):
            return {index: slot for index, slot in enumerate(order) if slot in wanted}
    found: dict[int, Slot] = {}
    waiting = [(stream, run) for stream, seqs in missing.items() for run in _runs(seqs)]
    index_of = {slot: index for index, slot in known.items()}
    is_progress = True
    while is_progress:
        is_progress = False
        for stream, run in list(waiting):
            left = index_of.get((stream, run[0] - 1), -1 if is_accounted and run[0] == 1 else None)
            right = index_of.get((stream, run[-1] + 1), length if is_accounted else None)
            if left is None or right is None:
                continue
            free = [index for index in range(left + 1, right) if index not in known and index not in found]
            if len(free) == len(run):
                found |= {index: (stream, seq) for index, seq in zip(free, run, strict=True)}
                index_of |= {(stream, seq): index for index, seq in zip(free, run, strict=True)}
                waiting.remove((stream, run))
                is_progress = True
    return found


def ranges(found: Mapping[int, Slot]) -> Iterator[tuple[int, str, int, int]]:
    """Yield (first index, stream, first seq_num, count) of what follows each other in both."""
    first, count = -1, 0
    for index in sorted(found):
        stream, seq = found[index]
        if count and index == first + count and (stream, seq - count) == found[first]:
            count += 1
            continue
        if count:
            yield first, *found[first], count
        first, count = index, 1
    if count:
        yield first, *found[first], count


def _runs(seqs: Sequence[int]) -> Iterator[list[int]]:
    run: list[int] = []
    for seq in seqs:
        if run and seq != run[-1] + 1:
            yield run
            run = []
        run.append(seq)
    if run:
        yield run
