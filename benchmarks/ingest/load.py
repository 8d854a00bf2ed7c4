"""How many documents a second are held without loss, beside bluesky's own RemoteDispatcher in the same run.

    python benchmarks/ingest/load.py [--seconds 5]

A publisher process sends events as fast as each rate says through a real 0MQ proxy with its stock buffers;
behind it stand, at the same time, this project's receiver with its journal (as in the daemon) and a stock
RemoteDispatcher that only counts. Both share the machine; the table says what each received of what was sent.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

_SEND = """
import sys, time
import numpy as np
from event_model import compose_run
from simulators.publisher import DocumentPublisher
address, rate, seconds, side = sys.argv[1], float(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4])
run = compose_run(metadata={})
keys = {"image": {"source": "s", "dtype": "array", "shape": [side, side]}} if side else {
    "rotation": {"source": "s", "dtype": "number", "shape": []}}
stream = run.compose_descriptor(name="primary", data_keys=keys)
frame = np.zeros((side, side), np.uint16)
with DocumentPublisher(address) as publisher:
    publisher.wait_until_heard()
    time.sleep(1)
    publisher("start", run.start_doc)
    publisher("descriptor", stream.descriptor_doc)
    begun, sent = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - begun) < seconds:
        if sent < rate * elapsed:
            key = next(iter(keys))
            value = frame if side else float(sent)
            publisher("event", stream.compose_event(data={key: value}, timestamps={key: 0.0}, validate=False))
            sent += 1
        else:
            time.sleep(0.0002)
    publisher("stop", run.compose_stop())
    print(sent, elapsed, flush=True)
"""

_OURS = """
import sys, time
from pathlib import Path
from streamlcn.documents import JournalWriter, ZmqSource
with ZmqSource(sys.argv[1]) as source, JournalWriter(Path(sys.argv[2])) as journal:
    source.wait_ready(20)
    print("ready", flush=True)
    while True:
        found = source.receive_whole(20.0)
        if found is None:
            break
        journal.append(found.message)
        if found.name == "stop":
            break
    print(source.state.received.get("event", 0), flush=True)
"""

_STOCK = """
import sys, threading
from bluesky.callbacks.zmq import RemoteDispatcher
count = 0
dispatcher = RemoteDispatcher(sys.argv[1])
def take(name, document):
    global count
    count += name == "event"
    if name == "stop":
        print(count, flush=True)
        import os; os._exit(0)
dispatcher.subscribe(take)
print("ready", flush=True)
threading.Timer(60, lambda: (print(count, flush=True), __import__("os")._exit(0))).start()
dispatcher.start()
"""


def main() -> None:
    """Run each rate once and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    rows = []
    for what, side, rates in (
        ("event without pixels", 0, (1000, 4000, 8000, 16000, 32000)),
        ("event with a 512 x 512 frame", 512, (50, 100, 200, 400, 800)),
    ):
        for rate in rates:
            rows.append({"what": what, "asked_per_s": rate, **_one(rate, chosen.seconds, side)})
            if not chosen.json:
                row = rows[-1]
                print(
                    f"{what:30} {row['sent_per_s']:7.0f}/s sent   streamlcn {100 * row['ours']:6.2f} %   "
                    f"RemoteDispatcher {100 * row['stock']:6.2f} %",
                    flush=True,
                )
    if chosen.json:
        print(json.dumps(rows, indent=1))


def _one(rate: float, seconds: float, side: int) -> dict[str, float]:
    proxy = _start("-m", "streamlcn.demo.proxy")
    try:
        inward, outward = _line(proxy).split()
        with tempfile.TemporaryDirectory() as folder:
            ours = _start("-c", _OURS, outward, str(Path(folder) / "journal"))
            stock = _start("-c", _STOCK, outward.removeprefix("tcp://"))
            for receiver in (ours, stock):
                assert _line(receiver) == "ready"
            time.sleep(1)  # the stock dispatcher does not tell when it is subscribed
            sender = _start("-c", _SEND, inward, str(rate), str(seconds), str(side))
            sent, elapsed = (float(word) for word in _line(sender).split())
            counts = [int(_line(receiver)) for receiver in (ours, stock)]
            for process in (sender, ours, stock):
                process.wait(30)
    finally:
        proxy.kill()
        proxy.wait()
    return {"sent_per_s": sent / elapsed, "ours": counts[0] / sent, "stock": counts[1] / sent}


def _start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-u", *arguments], stdout=subprocess.PIPE, text=True)


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


if __name__ == "__main__":
    main()
