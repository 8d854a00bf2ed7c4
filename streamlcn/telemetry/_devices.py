"""How the graphics cards are doing, from ``nvidia-smi``; without it there is nothing to say."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from collections.abc import Iterator

from streamlcn.ports import Clock, Telemetry

__all__ = ["DeviceWatch", "readings_of"]

_FIELDS = "index,memory.used,memory.total,utilization.gpu,temperature.gpu"
_GAUGES = (  # in the order of _FIELDS; nvidia-smi says MiB, percent and degrees Celsius
    ("gpu_memory_used_bytes", 2.0**20),
    ("gpu_memory_total_bytes", 2.0**20),
    ("gpu_utilization_ratio", 0.01),
    ("gpu_temperature_celsius", 1.0),
)
_EVERY_S = 10.0
_PATIENCE_S = 30.0


class DeviceWatch:
    """Asks every ten seconds and never waits for the answer: `step` takes it when it is there.

    The question is put from outside the worker, so that it is answered while that computes, or hangs.
    """

    def __init__(self, telemetry: Telemetry, clock: Clock, program: str | None = None) -> None:
        self._telemetry, self._clock = telemetry, clock
        self._program = program or shutil.which("nvidia-smi")
        self._process: subprocess.Popen[str] | None = None
        self._asked_s = float("-inf")

    def step(self) -> None:
        """Ask when it is time; pass on an answer that has come; give up one that does not come."""
        if self._program is None:
            return
        now = self._clock()
        if self._process is None:
            if now - self._asked_s >= _EVERY_S:
                self._ask(self._program, now)
        elif self._process.poll() is not None:
            answer, _ = self._process.communicate()
            self._process = None
            for what, value, gpu in readings_of(answer):
                self._telemetry.level(what, value, gpu=gpu)
        elif now - self._asked_s > _PATIENCE_S:
            self.close()

    def close(self) -> None:
        """End a question that is still open; may be called twice."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.communicate()

    def _ask(self, program: str, now: float) -> None:
        self._asked_s = now
        command = [program, f"--query-gpu={_FIELDS}", "--format=csv,noheader,nounits"]
        with contextlib.suppress(OSError):
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            )


def readings_of(answer: str) -> Iterator[tuple[str, float, str]]:
    """Yield (gauge, value, card) of each number in ``answer``; ``[N/A]`` and other words are passed over."""
    for line in answer.splitlines():
        gpu, *values = (word.strip() for word in line.split(","))
        if not gpu.isdigit():
            continue
        for (what, unit), value in zip(_GAUGES, values, strict=False):
            with contextlib.suppress(ValueError):
                yield what, float(value) * unit, gpu
