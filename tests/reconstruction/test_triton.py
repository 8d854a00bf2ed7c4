"""The Triton kernel without a GPU: it compiles for one, and in Triton's interpreter its sums are right."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from structlog.testing import capture_logs

from streamlcn.reconstruction import _on_torch
from streamlcn.reconstruction._devices import with_kernel

needs_triton = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="triton is not installed: it is for Linux only"
)
HERE = Path(__file__).parent


def interpret(chosen: str, cache: Path) -> None:
    """Run tests of `in_interpreter.py` in a process whose triton interprets."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", chosen]
    ran = subprocess.run(
        [*command, "--timeout", "900", str(HERE / "in_interpreter.py")],
        env={**os.environ, "TRITON_INTERPRET": "1", "TRITON_CACHE_DIR": str(cache)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert " passed" in ran.stdout


@needs_triton
def test_its_sums_are_right(tmp_path: Path) -> None:
    interpret("not TestFbpTriton", tmp_path)


@needs_triton
@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_it_keeps_the_contract(tmp_path: Path) -> None:
    """Slow work for the interpreter; sums about any axis and angle are held by the tests above."""
    interpret("TestFbpTriton and not any_centre and not any_set", tmp_path)


@needs_triton
def test_it_compiles_for_a_hopper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Types and layouts as a launch has them; a quarter of its loads are scalars, the rest are 128 bits."""
    import triton
    from triton.backends import backends
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from streamlcn.reconstruction._triton import DEPTH, TILE, back_project

    if "nvidia" not in backends or not list(Path(triton.__file__).parent.rglob("ptxas")):
        pytest.skip("this triton has no assembler for NVIDIA")
    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    names = [name for name in back_project.arg_names if name not in ("TILE", "DEPTH")]
    kinds = {"voxels": "*fp32", "rows": "*fp32", "tiles": "*i32", "voxel_y_stride": "i64"}
    kinds |= dict.fromkeys(("cosines", "sines", "shifts"), "*fp64")
    aligned = [names.index(name) for name in names if "stride" in name or name in ("voxels", "rows")]
    source = ASTSource(
        fn=back_project,
        signature={
            **{name: kinds.get(name, "i32") for name in names},
            "TILE": "constexpr",
            "DEPTH": "constexpr",
        },
        constexprs={"TILE": TILE, "DEPTH": DEPTH},
        attrs={(place,): [["tt.divisibility", 16]] for place in aligned},
    )
    made = triton.compile(source, target=GPUTarget("cuda", 90, 32), options={"num_warps": 4})
    assert len(made.asm["cubin"]) > 1000
    assert made.asm["ptx"].count("ld.global.v4") >= 8
    assert "fma.rn.f32" in made.asm["ptx"]


@needs_triton
def test_plain_torch_stands_in_for_a_kernel_that_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    from streamlcn.reconstruction import _triton

    def no_compiler(device: torch.device) -> bool:
        raise RuntimeError(f"Failed to find C compiler for {device}")

    monkeypatch.setattr(_on_torch, "_kernel_of", _on_torch._kernel_of.__wrapped__)  # without its memory
    monkeypatch.setattr(_triton, "is_right_on", no_compiler)
    with capture_logs() as logs:
        assert with_kernel("cuda:1") == "cuda:1 with plain torch"
    (line,) = logs
    assert (line["event"], line["log_level"]) == ("triton_not_used", "warning")
    assert "C compiler for cuda:1" in line["why"]
    monkeypatch.setattr(_triton, "is_right_on", lambda _: True)
    assert with_kernel("cuda") == "cuda with triton"
    assert (with_kernel("cpu"), with_kernel("torch:cpu")) == ("cpu", "torch:cpu")
