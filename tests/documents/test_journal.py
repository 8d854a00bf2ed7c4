"""The journal: what was appended comes out again, whatever is torn, broken or full."""

from __future__ import annotations

import json
import os
import random
import resource
import signal
import struct
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamlcn.documents import (
    Checkpoint,
    Cursor,
    JournalFull,
    JournalReader,
    JournalWriter,
    load_checkpoint,
    save_checkpoint,
)
from streamlcn.documents._journal_format import HEADER_BYTES, MARKER, PREAMBLE, segment_numbers, segment_path
from streamlcn.documents.settings import JournalSettings
from streamlcn.errors import BadInput

MB = 1e-6  # segment_mb of one byte


def payloads(directory: Path, cursor: Cursor | None = None) -> list[bytes]:
    with JournalReader(directory, cursor) as reader:
        return [record.payload for record in reader]


def filled(directory: Path, count: int, *, size: int = 20, **options: Any) -> list[bytes]:
    """Append ``count`` records and close; returns their payloads."""
    wanted = [f"{number}:".encode().ljust(size, b".") for number in range(count)]
    with JournalWriter(directory, JournalSettings(**options)) as writer:
        for payload in wanted:
            writer.append(payload)
    return wanted


@pytest.mark.parametrize("fsync", ["always", "interval", "never"])
def test_what_was_appended_comes_out_in_order(tmp_path: Path, fsync: str) -> None:
    wanted = filled(tmp_path, 20, segment_mb=200 * MB, fsync=fsync)
    assert payloads(tmp_path) == wanted
    assert len(segment_numbers(tmp_path)) > 3
    more = filled(tmp_path, 3)
    assert payloads(tmp_path) == wanted + more


def test_records_tell_when_and_where(tmp_path: Path) -> None:
    now_s = 10.0
    with JournalWriter(tmp_path, wall=lambda: now_s) as writer:
        ends = [writer.append(b"one")]
        now_s = 20.5
        ends.append(writer.append(b""))
    with JournalReader(tmp_path) as reader:
        records = list(reader)
    assert [record.time_s for record in records] == [10.0, 20.5]
    assert [record.end for record in records] == ends
    assert records[1].start == records[0].end
    assert payloads(tmp_path, records[1].start) == [b""]
    assert payloads(tmp_path, ends[-1]) == []


def test_only_one_may_write(tmp_path: Path) -> None:
    with JournalWriter(tmp_path), pytest.raises(BadInput, match="another process writes the journal"):
        JournalWriter(tmp_path)
    JournalWriter(tmp_path).close()


def test_the_lock_of_a_killed_writer_is_free(tmp_path: Path) -> None:
    with _writing(tmp_path) as process:
        process.stdout.readline()
        with pytest.raises(BadInput, match="is the daemon running already"):
            JournalWriter(tmp_path)
        process.kill()
        process.wait()
    JournalWriter(tmp_path).close()


@pytest.mark.parametrize("cut", [1, 19, 20, HEADER_BYTES, HEADER_BYTES + 19, HEADER_BYTES + 20])
def test_a_torn_end_is_skipped_once_a_new_segment_begins(tmp_path: Path, cut: int) -> None:
    wanted = filled(tmp_path, 3)
    path = segment_path(tmp_path, 1)
    os.truncate(path, path.stat().st_size - cut)
    with JournalReader(tmp_path) as reader:
        assert [record.payload for record in reader] == wanted[:2]
        assert (reader.torn, reader.corrupted) == (0, 0)  # it may still grow
        more = filled(tmp_path, 2)
        assert [record.payload for record in reader] == more
        assert (reader.torn, reader.corrupted) == (1 if cut < HEADER_BYTES + 20 else 0, 0)


def test_a_reader_waits_for_what_is_half_written(tmp_path: Path) -> None:
    wanted = filled(tmp_path, 4)
    content = segment_path(tmp_path, 1).read_bytes()
    grown = tmp_path / "grown"
    grown.mkdir()
    seen: list[bytes] = []
    with JournalReader(grown) as reader, segment_path(grown, 1).open("ab", buffering=0) as file:
        for place in range(len(content)):
            file.write(content[place : place + 1])
            seen += [record.payload for record in reader]
            whole = (place + 1 - len(PREAMBLE)) // (HEADER_BYTES + 20)
            assert len(seen) == max(0, whole)
        assert (reader.torn, reader.corrupted) == (0, 0)
    assert seen == wanted


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_broken_bytes_cost_only_the_records_they_are_in(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    directory = tmp_path_factory.mktemp("journal")
    wanted = filled(directory, 12, size=data.draw(st.integers(4, 40)), fsync="never")
    path = segment_path(directory, 1)
    content = bytearray(path.read_bytes())
    step = HEADER_BYTES + len(wanted[0])
    pieces = st.sampled_from([MARKER, b"\x00" * 30, b"\xff", b"ab" * 70])
    places = st.lists(st.integers(len(PREAMBLE), len(content) - 1), min_size=1, max_size=4)
    broken = set()
    for place in data.draw(places):
        for offset, byte in enumerate(data.draw(pieces)[: len(content) - place]):
            if content[place + offset] != byte:
                content[place + offset] = byte
                broken.add((place + offset - len(PREAMBLE)) // step)
    path.write_bytes(content)
    JournalWriter(directory).close()  # a later segment: nothing of this one is waited for
    with JournalReader(directory) as reader:
        found = [record.payload for record in reader]
    assert found == [payload for number, payload in enumerate(wanted) if number not in broken]
    assert bool(reader.corrupted + reader.torn) == bool(broken)


def test_a_broken_payload_costs_itself_alone(tmp_path: Path) -> None:
    wanted = filled(tmp_path, 5)
    path = segment_path(tmp_path, 1)
    content = bytearray(path.read_bytes())
    content[len(PREAMBLE) + 2 * (HEADER_BYTES + 20) + HEADER_BYTES + 3] ^= 1
    path.write_bytes(content)
    with JournalReader(tmp_path) as reader:
        assert [record.payload for record in reader] == wanted[:2] + wanted[3:]
        assert (reader.corrupted, reader.torn) == (1, 0)


def test_a_broken_header_costs_its_record_alone(tmp_path: Path) -> None:
    wanted = filled(tmp_path, 5)
    path = segment_path(tmp_path, 1)
    content = bytearray(path.read_bytes())
    header = len(PREAMBLE) + (HEADER_BYTES + 20)
    content[header + 4 : header + 8] = struct.pack("<I", 2**31)  # a length of two gigabytes
    path.write_bytes(content)
    with JournalReader(tmp_path) as reader:
        assert [record.payload for record in reader] == wanted[:1] + wanted[2:]
        assert (reader.corrupted, reader.torn) == (1, 0)


def test_a_payload_that_looks_like_a_journal_is_a_payload(tmp_path: Path) -> None:
    filled(tmp_path / "a", 3)
    inner = segment_path(tmp_path / "a", 1).read_bytes()
    with JournalWriter(tmp_path / "b") as writer:
        writer.append(inner)
        writer.append(MARKER * 10)
    assert payloads(tmp_path / "b") == [inner, MARKER * 10]


# Retention


def test_without_a_reader_nothing_is_deleted(tmp_path: Path) -> None:
    filled(tmp_path, 30, segment_mb=100 * MB, keep_gb=1e-9, keep_days=1e-9)
    assert len(payloads(tmp_path)) == 30


def test_passed_segments_go_when_there_are_too_many_bytes(tmp_path: Path) -> None:
    keep = 400
    options = {"segment_mb": 100 * MB, "keep_gb": keep * 1e-9}
    filled(tmp_path, 30, **options)
    before = segment_numbers(tmp_path)
    save_checkpoint(tmp_path, "worker", Checkpoint(cursor=Cursor(before[-4], 0)))
    save_checkpoint(tmp_path, "slow", Checkpoint(cursor=Cursor(before[-6], 0)))
    with JournalWriter(tmp_path, JournalSettings(**options)) as writer:
        left = segment_numbers(tmp_path)
        assert left[0] == before[-6]  # the slower reader still needs it, over the limit or not
        assert writer.state.is_over_limit
        assert writer.state.waiting_bytes == writer.state.total_bytes > keep
        save_checkpoint(tmp_path, "slow", Checkpoint(cursor=writer.end))
        save_checkpoint(tmp_path, "worker", Checkpoint(cursor=writer.end))
        writer.prune()
        assert not writer.state.is_over_limit
        assert writer.state.total_bytes > keep - 100  # no more than necessary
        assert writer.state.waiting_bytes == 0


def test_passed_segments_go_when_they_are_old(tmp_path: Path) -> None:
    filled(tmp_path, 6, segment_mb=100 * MB)
    numbers = segment_numbers(tmp_path)
    for number in numbers[:2]:
        os.utime(segment_path(tmp_path, number), (0, 0))
    save_checkpoint(tmp_path, "worker", Checkpoint(cursor=Cursor(numbers[-1], 0)))
    with JournalWriter(tmp_path, JournalSettings(keep_days=1)) as writer:
        assert segment_numbers(tmp_path)[0] == numbers[2]
        assert writer.prune() == []


def test_a_reader_that_comes_too_late_counts_what_it_lost(tmp_path: Path) -> None:
    filled(tmp_path, 12, segment_mb=100 * MB)
    numbers = segment_numbers(tmp_path)
    with JournalReader(tmp_path) as reader:
        assert reader.read() is not None
        cursor = reader.cursor
    for number in numbers[:3]:
        segment_path(tmp_path, number).unlink()
    with JournalReader(tmp_path, cursor) as reader:
        assert len(list(reader)) > 0
        assert reader.lost_segments == 3
    with JournalReader(tmp_path) as reader:
        list(reader)
        assert reader.lost_segments == 0  # a new reader begins where the journal begins


def test_a_checkpoint_survives_and_a_broken_one_says_what_to_do(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path, "worker") is None
    wanted = Checkpoint(cursor=Cursor(3, 77), done=("a", "b"))
    save_checkpoint(tmp_path, "worker", wanted)
    assert load_checkpoint(tmp_path, "worker") == wanted
    (tmp_path / ".worker.checkpoint.new").write_text("half")  # a crash while it was being written
    assert load_checkpoint(tmp_path, "worker") == wanted
    for text in ("", "{}", '{"segment": "x", "offset": 1}', "[1]"):
        (tmp_path / "worker.checkpoint").write_text(text)
        with pytest.raises(BadInput, match="remove it to read the journal from its beginning"):
            load_checkpoint(tmp_path, "worker")
        with JournalWriter(tmp_path, JournalSettings(keep_gb=1e-9)) as writer:
            assert writer.prune() == []  # nobody knows what its reader still needs


# Full disks


@pytest.fixture
def small_limit() -> Iterator[Callable[[int], None]]:
    """Let files of this process grow to so many bytes only, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    yield lambda most: resource.setrlimit(resource.RLIMIT_FSIZE, (most, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_document_that_does_not_fit_leaves_the_journal_whole(
    tmp_path: Path, small_limit: Callable[[int], None]
) -> None:
    with JournalWriter(tmp_path) as writer:
        writer.append(b"fits")
        small_limit(500)
        for _ in range(3):
            with pytest.raises(JournalFull, match="make room on its disk"):
                writer.append(b"x" * 1000)
        writer.append(b"small")
        small_limit(10_000)
        writer.append(b"x" * 1000)
    assert payloads(tmp_path) == [b"fits", b"small", b"x" * 1000]


_TMPFS = """
import json, sys
from pathlib import Path
from streamlcn.documents import Checkpoint, JournalFull, JournalReader, JournalWriter, save_checkpoint
from streamlcn.documents.settings import JournalSettings
place = Path(sys.argv[1])
settings = JournalSettings(segment_mb=0.3, min_free_gb=0.0005)
appended, warned_at, full_at = [], None, None
with JournalWriter(place / "journal", settings) as writer:
    for number in range(1000):
        payload = str(number).encode() * 5000
        if writer.state.is_nearly_full and warned_at is None:
            warned_at = number
        try:
            writer.append(payload)
        except JournalFull:
            full_at = number
            break
        appended.append(payload)
    (place / "ballast").unlink()
    writer.append(b"after room was made")
with JournalReader(place / "journal") as reader:
    found = [record.payload for record in reader]
with JournalWriter(place / "journal", settings) as writer:
    for _ in range(300):  # a reader that keeps up lets a disk of two megabytes last
        writer.append(b"x" * 10_000)
        save_checkpoint(place / "journal", "worker", Checkpoint(cursor=writer.end))
print(json.dumps({"same": found == [*appended, b"after room was made"], "warned": warned_at, "full": full_at,
                  "corrupted": reader.corrupted}))
"""


@pytest.mark.skipif(
    subprocess.run(["unshare", "-rm", "true"], capture_output=True, check=False).returncode != 0,
    reason="mounting a small file system needs user namespaces",
)
def test_a_full_disk_is_announced_before_it_is_full_and_nothing_written_is_lost(tmp_path: Path) -> None:
    script = tmp_path / "fill.py"
    script.write_text(_TMPFS)
    place = tmp_path / "disk"
    place.mkdir()
    command = (
        f"mount -t tmpfs -o size=2M none {place} && head -c 300000 /dev/zero > {place}/ballast && "
        f"exec {sys.executable} {script} {place}"
    )
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", command], capture_output=True, text=True, check=True, timeout=60
    )
    told = json.loads(done.stdout)
    assert told["same"]
    assert told["corrupted"] == 0
    assert 0 < told["warned"] < told["full"] - 15  # half a megabyte ahead, in documents of 5 to 15 kB


def test_nearly_full_is_measured_on_the_journal_s_own_disk(tmp_path: Path) -> None:
    free_gb = os.statvfs(tmp_path).f_bavail * os.statvfs(tmp_path).f_frsize / 1e9
    with JournalWriter(tmp_path / "a", JournalSettings(min_free_gb=free_gb + 100)) as writer:
        assert writer.state.is_nearly_full
    with JournalWriter(tmp_path / "b", JournalSettings(min_free_gb=0)) as writer:
        assert not writer.state.is_nearly_full
        assert writer.state.free_bytes / 1e9 == pytest.approx(free_gb, rel=0.2)


# Two processes

_WRITER = """
import sys
from pathlib import Path
from streamlcn.documents import JournalWriter
from streamlcn.documents.settings import JournalSettings
import random
generator = random.Random(int(sys.argv[2]))
with JournalWriter(Path(sys.argv[1]), JournalSettings(segment_mb=0.05)) as writer:
    number = int(sys.argv[3])
    while number < int(sys.argv[4]):
        payload = f"{number}:".encode() + generator.randbytes(generator.randrange(3000))
        writer.append(payload)
        number += 1
        sys.stdout.write(f"{number}\\n")
        sys.stdout.flush()
"""


def _writing(directory: Path, seed: int = 0, first: int = 0, last: int = 10**9) -> Any:
    command = [sys.executable, "-c", _WRITER, str(directory), str(seed), str(first), str(last)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def test_a_reader_follows_a_writer_in_another_process(tmp_path: Path) -> None:
    found: list[int] = []
    with _writing(tmp_path, last=3000) as process, JournalReader(tmp_path) as reader:
        drain = threading.Thread(target=process.stdout.read)
        drain.start()
        while process.poll() is None or len(found) < 3000:
            found += [int(record.payload.split(b":")[0]) for record in reader]
        drain.join()
    assert found == list(range(3000))
    assert (reader.corrupted, reader.torn, reader.lost_segments) == (0, 0, 0)


def killed_writers(directory: Path, kills: int, seed: int) -> None:
    """Kill writers at random moments; all that they said was appended is there, once, in order."""
    generator = random.Random(seed)
    said = 0
    with JournalReader(directory) as reader:
        found: list[int] = []
        for kill in range(kills):
            with _writing(directory, seed=kill, first=said) as process:
                for _ in range(generator.randint(1, 60)):
                    said = int(process.stdout.readline())
                process.kill()
                rest = process.stdout.read().split()
                said = int(rest[-1]) if rest and rest[-1].isdigit() else said
            found += [int(record.payload.split(b":")[0]) for record in reader]
            # one record may be whole on disk although its writer died before it could say so
            assert found[-1] in (said - 1, said)
            said = found[-1] + 1
    assert found == list(range(said))
    assert reader.corrupted == 0
    assert [int(payload.split(b":")[0]) for payload in payloads(directory)] == found


def test_killed_writers_lose_nothing_that_was_appended(tmp_path: Path) -> None:
    killed_writers(tmp_path, 3, seed=1)


@pytest.mark.slow
def test_many_killed_writers(tmp_path: Path) -> None:
    killed_writers(tmp_path, 60, seed=2)
