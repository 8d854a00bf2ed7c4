"""What holds for all commands: help, exit status, what goes where, what is imported when."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from streamlcn.cli._main import COMMANDS
from streamlcn.files import write_volume
from tests.cli.running import call, call_process

_HEAVY = ("torch", "numba", "h5py", "numpy", "zmq", "tiled", "pydantic", "starlette", "matplotlib", "yaml")


def test_all_faults_of_the_simulated_beamline_are_listed() -> None:
    names = call_process("simulate", "--list-faults").out.split()
    assert {"no-flats", "abort", "drop:N", "stall:S"} <= set(names)
    assert len(names) > 25


def test_help_names_all_commands_and_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom streamlcn.cli import main\ntry:\n main(['--help'])\nexcept SystemExit as left:\n"
        f" print('left', left.code, [m for m in {_HEAVY!r} if m in sys.modules])"
    )
    outcome = call_process(code, module=("-c",))
    assert outcome.out.splitlines()[-1] == "left 0 []"
    for name, place in COMMANDS.items():
        assert (f"  {name} " in outcome.out) != place.is_hidden, name


@pytest.mark.parametrize("name", [name for name, place in COMMANDS.items() if not place.is_hidden])
def test_each_command_has_help_with_an_example(name: str) -> None:
    outcome = call(name, "--help")
    assert outcome.status == 0
    assert f"streamlcn {name} " in outcome.out.split("Usage:")[1].split("\n", 1)[1], "an example"
    assert not outcome.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--nix"], "No such option '--nix'"),
        (["mesure"], "mesure"),
        (["measure"], "Missing argument 'MASK'"),
        (["measure", "m.npy", "--colour", "red"], "No such option '--colour'"),
        (["reconstruct", "s.nxs"], "Missing option '--out'"),
        (["reconstruct", "s.nxs", "--out", "v.npy", "--backend", "magic"], "'magic' is not one of"),
        (["train", "data", "--out", "b", "--epochs", "0"], "0 is not in the range"),
        (["check", "no-such-beamline"], "no profile 'no-such-beamline'"),
    ],
)
def test_bad_input_exits_with_2_and_says_which(words: list[str], said: str) -> None:
    outcome = call(*words)
    assert outcome.status == 2
    assert said in outcome.err
    assert outcome.out == ""


def test_the_module_runs_and_says_its_version() -> None:
    outcome = call_process("--version")
    assert (outcome.status, outcome.err) == (0, "")
    assert outcome.out.startswith("streamlcn, version ")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's disk that is always full")
def test_a_full_disk_is_a_failure_without_a_traceback(tmp_path: Path) -> None:
    labels = np.ones((6, 6, 6), np.uint8)
    labels[2:4, 2:4, 2:4] = 2
    write_volume(tmp_path / "m.npy", labels)
    outcome = call("measure", tmp_path / "m.npy", "--voxel-size-um", "0.2", "--csv", "/dev/full")
    assert outcome.status == 1
    assert "No space left" in outcome.err
    assert "Traceback" not in outcome.err


@pytest.mark.slow
def test_an_interrupt_exits_with_130_and_leaves_no_bundle(tmp_path: Path, labelled: Path) -> None:
    words = ["train", labelled, "--out", tmp_path / "b", "--epochs", "100000"]
    for change in ("base=4", "levels=2", "patch_px=16", "batch=4", "steps_per_epoch=2"):
        words += ["--set", change]
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "streamlcn", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "100", "OMP_NUM_THREADS": "1"},
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if "epoch 1" in line:
                break
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 130
    assert out == ""
    assert "interrupted" in err
    assert not (tmp_path / "b").exists()


def test_the_reference_is_fresh() -> None:
    page = Path(__file__).parents[2] / "docs" / "commands.md"
    written = call_process(page.with_suffix(".py"), module=())
    assert written.status == 0, written.err
    assert written.out == page.read_text("utf-8"), "python docs/commands.py > docs/commands.md"
