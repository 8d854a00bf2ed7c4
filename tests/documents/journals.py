"""Journals that are written here and in other processes."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import Any

from streamlcn.documents import Cursor, JournalReader, JournalWriter
from streamlcn.documents.settings import JournalSettings


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


def writing(directory: Path, seed: int = 0, first: int = 0, last: int = 10**9) -> Any:
    command = [sys.executable, "-c", _WRITER, str(directory), str(seed), str(first), str(last)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def killed_writers(directory: Path, kills: int, seed: int) -> None:
    """Kill writers at random moments; all that they said was appended is there, once, in order."""
    generator = random.Random(seed)
    said = 0
    with JournalReader(directory) as reader:
        found: list[int] = []
        for kill in range(kills):
            with writing(directory, seed=kill, first=said) as process:
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
