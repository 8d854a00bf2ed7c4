"""Graphics cards, told by a program that says what nvidia-smi says."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from streamlcn.telemetry import DeviceWatch, PrometheusTelemetry
from streamlcn.telemetry._devices import readings_of

ANSWER = "0, 24210, 81559, 97, 61\n1, 3, 81559, 0, 30\n"  # MiB, MiB, percent, degrees Celsius


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def program(folder: Path, body: str) -> str:
    path = folder / "nvidia-smi"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return str(path)


def ended(watch: DeviceWatch) -> None:
    assert watch._process is not None
    os.waitid(os.P_PID, watch._process.pid, os.WEXITED | os.WNOWAIT)


def test_each_card_has_its_gauges_in_base_units(tmp_path):
    telemetry, clock = PrometheusTelemetry(), Clock()
    asked = tmp_path / "asked"
    watch = DeviceWatch(telemetry, clock, program(tmp_path, f'echo "$1" >> {asked}\nprintf "{ANSWER}"'))
    watch.step()
    ended(watch)
    watch.step()

    def sample(what: str, gpu: str) -> float | None:
        return telemetry.registry.get_sample_value(f"streamlcn_gpu_{what}", {"gpu": gpu})

    assert sample("memory_used_bytes", "0") == 24210 * 2**20
    assert sample("memory_total_bytes", "1") == 81559 * 2**20
    assert sample("utilization_ratio", "0") == pytest.approx(0.97)
    assert sample("temperature_celsius", "1") == 30
    watch.step()
    clock.now = 9.0
    watch.step()
    assert asked.read_text() == (
        "--query-gpu=index,memory.used,memory.total,utilization.gpu,temperature.gpu\n"
    )
    clock.now = 10.0
    watch.step()
    ended(watch)
    watch.close()
    assert len(asked.read_text().splitlines()) == 2


def test_without_the_program_there_are_no_series(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    telemetry = PrometheusTelemetry()
    DeviceWatch(telemetry, Clock()).step()
    DeviceWatch(telemetry, Clock(), str(tmp_path / "gone")).step()
    assert b'gpu="' not in telemetry.render()


def test_an_answer_that_never_comes_is_given_up(tmp_path):
    clock = Clock()
    watch = DeviceWatch(PrometheusTelemetry(), clock, program(tmp_path, "exec sleep 600"))
    watch.step()
    process = watch._process
    clock.now = 29.0
    watch.step()
    assert process.poll() is None
    clock.now = 31.0
    watch.step()
    assert process.returncode == -signal.SIGKILL
    watch.close()
    watch.close()


@pytest.mark.parametrize(
    "answer", ["", "No devices were found\n", "NVIDIA-SMI has failed, because, of, something\n", "0\n"]
)
def test_words_are_no_numbers(answer):
    assert list(readings_of(answer)) == []


def test_what_a_card_does_not_know_is_left_out():
    assert list(readings_of("0, 512, 1024, [N/A], [Not Supported]\n")) == [
        ("gpu_memory_used_bytes", 512 * 2.0**20, "0"),
        ("gpu_memory_total_bytes", 1024 * 2.0**20, "0"),
    ]
