"""The journal on disks that fill up, and with writers that are killed."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from journals import killed_writers, payloads, writing

from streamlcn.documents import JournalFull, JournalReader, JournalWriter
from streamlcn.documents.settings import JournalSettings
from streamlcn.errors import BadInput


def test_the_lock_of_a_killed_writer_is_free(tmp_path: Path) -> None:
    with writing(tmp_path) as process:
        process.stdout.readline()
        with pytest.raises(BadInput, match="is the daemon running already"):
            JournalWriter(tmp_path)
        process.kill()
        process.wait()
    JournalWriter(tmp_path).close()


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


def test_a_reader_follows_a_writer_in_another_process(tmp_path: Path) -> None:
    found: list[int] = []
    with writing(tmp_path, last=3000) as process, JournalReader(tmp_path) as reader:
        drain = threading.Thread(target=process.stdout.read)
        drain.start()
        while process.poll() is None or len(found) < 3000:
            found += [int(record.payload.split(b":")[0]) for record in reader]
        drain.join()
    assert found == list(range(3000))
    assert (reader.corrupted, reader.torn, reader.lost_segments) == (0, 0, 0)


def test_killed_writers_lose_nothing_that_was_appended(tmp_path: Path) -> None:
    killed_writers(tmp_path, 3, seed=1)


@pytest.mark.slow
def test_many_killed_writers(tmp_path: Path) -> None:
    killed_writers(tmp_path, 60, seed=2)
