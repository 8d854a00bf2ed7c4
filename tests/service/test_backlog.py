"""What waits for the worker, on a clock that the test owns."""

from __future__ import annotations

from streamlcn.documents import Cursor
from streamlcn.service._backlog import Backlog


def test_it_counts_what_came_and_was_not_read() -> None:
    now = [100.0]
    backlog = Backlog(lambda: now[0])
    assert (len(backlog), backlog.seconds) == (0, 0.0)
    for offset in (10, 20, 30):
        backlog.came(Cursor(1, offset))
        now[0] += 1.0
    assert (len(backlog), backlog.seconds) == (3, 3.0)
    backlog.read(Cursor(1, 20))
    assert (len(backlog), backlog.seconds) == (1, 1.0)
    now[0] += 60.0
    assert backlog.seconds == 61.0, "it grows while the worker computes, or is dead"
    backlog.came(Cursor(2, 5))
    backlog.read(Cursor(1, 20))  # a restarted worker reads again
    assert len(backlog) == 2
    backlog.read(Cursor(2, 5))
    assert (len(backlog), backlog.seconds) == (0, 0.0)
