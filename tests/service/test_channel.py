"""Events travel or are dropped, and what was dropped is told."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import Any

from streamlcn.service import EventReceiver, EventSender
from streamlcn.service._channel import _WAITING


def taken(receiver: EventReceiver, enough: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while len(found) < enough:
        found += receiver.drain()
    return found


def test_many_threads_send_on_one_channel() -> None:
    with closing(EventReceiver()) as receiver, closing(EventSender(receiver.address)) as send:
        threads = [
            threading.Thread(
                target=lambda n=n: [send({"event": "beat", "stage": f"{n}"}) for _ in range(100)]
            )
            for n in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        stages = [event["stage"] for event in taken(receiver, 400)]
        assert {stage: stages.count(stage) for stage in "0123"} == dict.fromkeys("0123", 100)
        assert send.dropped == receiver.malformed == 0


def test_what_nobody_takes_is_dropped_and_told_later() -> None:
    with closing(EventReceiver()) as receiver, closing(EventSender(receiver.address)) as send:
        while not send.dropped:
            send({"event": "beat", "stage": "worker"})
        dropped = send.dropped
        found = taken(receiver, _WAITING)
        while not any(event["event"] == "count" for event in found):
            send({"event": "beat", "stage": "worker"})
            found += receiver.drain()
        told = [event for event in found if event["event"] == "count"]
        assert [(event["what"], event["labels"]) for event in told] == [("events_dropped", {})]
        assert dropped <= told[0]["amount"] <= send.dropped
