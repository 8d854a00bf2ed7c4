"""The journal: what was appended comes out again, whatever is torn, broken or full."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journals import filled, payloads

from streamlcn.documents import (
    Checkpoint,
    Cursor,
    JournalReader,
    JournalWriter,
    load_checkpoint,
    save_checkpoint,
)
from streamlcn.documents._journal_format import HEADER_BYTES, MARKER, PREAMBLE, segment_numbers, segment_path
from streamlcn.documents.settings import JournalSettings
from streamlcn.errors import BadInput

MB = 1e-6  # segment_mb of one byte


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
    whole = bytes(content)
    for place in data.draw(places):
        piece = data.draw(pieces)[: len(content) - place]
        content[place : place + len(piece)] = piece
    changed = (place for place, byte in enumerate(content) if byte != whole[place])
    broken = {(place - len(PREAMBLE)) // step for place in changed}
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
