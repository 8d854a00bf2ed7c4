"""Backends side by side, and what happens when one is missing or lies."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from backends import HAS_ASTRA, TOMOPY_PYTHON, needs_astra, needs_tomopy
from contract import COLUMNS, COUNT, HALF_TURN, ROWS, make_frame, make_scan
from phantoms import BONE, counts, line_integrals
from scipy import ndimage
from structlog.testing import capture_logs

from streamlcn.errors import BadInput, ReconstructionFailed
from streamlcn.reconstruction import ReconstructionSettings, make_reconstructor, make_reference, reconstruct
from streamlcn.reconstruction._aligned import aligned_rows
from streamlcn.reconstruction._sanity import require_agreement
from streamlcn.reconstruction._tomopy import TomopyBackend
from streamlcn.reconstruction._tomopy_process import TomopyProcess
from streamlcn.reconstruction.settings import TomopySettings

CENTRE = 41.3
LINES = line_integrals(BONE, HALF_TURN, COLUMNS, CENTRE, ROWS)
PROJECTIONS, FLATS, DARKS = counts(LINES)


def settings(**method: object) -> ReconstructionSettings:
    return ReconstructionSettings.model_validate(
        {"method": method, "correction": {"median_radius_px": 0}, "centre": {"value": CENTRE}}
    )


def volume_of(**method: object) -> npt.NDArray[np.float32]:
    return reconstruct(PROJECTIONS, FLATS, DARKS, HALF_TURN, settings=settings(**method))


FBP = {"backend": "fbp", "device": "cpu"}


@pytest.mark.parametrize(
    ("method", "raw", "smooth"),
    [
        pytest.param({"backend": "fbp", "device": "torch:cpu"}, 1e-6, 1e-6, id="torch"),
        pytest.param({"backend": "astra"}, 0.03, 0.002, id="astra strip", marks=needs_astra),
        pytest.param(
            {"backend": "astra", "projector": "linear"}, 0.04, 0.002, id="astra linear", marks=needs_astra
        ),
        pytest.param(
            {"backend": "tomopy", "python": TOMOPY_PYTHON}, 0.04, 0.005, id="gridrec", marks=needs_tomopy
        ),
    ],
)
def test_all_backends_give_the_same_volume(method: dict[str, object], raw: float, smooth: float) -> None:
    """Interpolation differs at sharp edges; smoothed over 2 pixels they agree within ``smooth`` rms."""
    ours, theirs = volume_of(**FBP), volume_of(**method)
    inside = np.hypot(*(np.mgrid[:COLUMNS, :COLUMNS] - (COLUMNS - 1) / 2)) < 0.45 * COLUMNS
    for a, b in zip(ours, theirs, strict=True):
        assert (a - b)[inside].std() < raw * a.max()
        a, b = (ndimage.gaussian_filter(each, 2.0) for each in (a, b))
        assert np.sqrt(np.mean((a - b)[inside] ** 2)) < smooth * a.max()


@needs_tomopy
def test_tomopys_wrapper_of_astra_has_our_geometry_too() -> None:
    """The way to a GPU, run on the CPU: the same rows, the same centre, FBP instead of FBP_CUDA."""
    backend = TomopyBackend(TomopySettings(device="cpu", python=TOMOPY_PYTHON))
    with TomopyProcess(TOMOPY_PYTHON, 60) as process:
        volume = backend.by_astra(
            process, LINES.astype(np.float32), HALF_TURN, CENTRE, projector="linear", algorithm="FBP"
        )
    for image, ours in zip(volume, volume_of(**FBP), strict=True):
        assert require_agreement(image, ours, "tomopy.astra") < 0.01


@pytest.mark.skipif(HAS_ASTRA, reason="ASTRA is installed here")
def test_a_backend_that_is_not_installed_is_refused_by_name() -> None:
    with pytest.raises(BadInput, match=r"'astra' is not installed.*pip install"):
        make_reconstructor(settings(backend="astra"))


@pytest.mark.parametrize(
    ("python", "says"),
    [(sys.executable, "No module named 'tomopy'"), ("/nowhere/python", "does not start")],
    ids=["no tomopy", "no interpreter"],
)
def test_without_tomopy_our_own_stands_in_and_says_why(python: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        make_reconstructor(settings(backend="tomopy", python=python))
    with capture_logs() as logs:
        provider = make_reconstructor(settings(backend="tomopy", python=python, fallback="fbp"))
    assert provider.name == "fbp"
    assert "because tomopy is not usable" in provider.description  # type: ignore[attr-defined]
    assert says in provider.description  # type: ignore[attr-defined]
    assert [(log["event"], log["wanted"], log["to"]) for log in logs] == [
        ("reconstruction_fell_back", "tomopy", "fbp")
    ]


@pytest.mark.parametrize("backend", ["tomopy", pytest.param("astra", marks=needs_astra)])
def test_a_device_that_nobody_knows_is_refused(backend: str) -> None:
    with pytest.raises(BadInput, match="device 'tpu' is nothing"):
        make_reconstructor(settings(backend=backend, device="tpu"))


LIARS = {
    "nothing": ("np.full((len(rows), n, n), 1e-6, 'f4')", "gave 1e-06 everywhere in slice 0"),
    "not a number": ("np.full((len(rows), n, n), np.nan, 'f4')", "gave nan at slice 0, row 0, column 0"),
    "noise": ("np.random.default_rng(1).normal(size=(len(rows), n, n))", "differs from our own"),
    "error": ("1 / 0", "tomopy in .* failed: ZeroDivisionError"),
    "death": ("os._exit(3)", "died with code 3"),
    "no answer": ("signal.pause()", "did not answer within 2 s"),
}


@pytest.fixture
def liar(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An interpreter whose tomopy prints where answers go, and then fails in its own way."""
    (tmp_path / "tomopy.py").write_text(
        "import os, signal\nimport numpy as np\n__version__ = '0'\n"
        "def recon(rows, angles, num_gridx, **more):\n"
        "    n = num_gridx\n    print('chatter')\n"
        f"    return {LIARS[request.param][0]}\n"
    )
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path} exec {sys.executable} "$@"\n')
    python.chmod(0o700)
    return str(python)


@pytest.mark.parametrize(
    ("liar", "says"), [(k, v[1]) for k, v in LIARS.items()], indirect=["liar"], ids=LIARS
)
def test_silent_and_loud_failures_are_told_and_leave_no_files(liar: str, says: str) -> None:
    shared = Path("/dev/shm")
    before = set(shared.glob("streamlcn-tomopy-*"))
    with pytest.raises(ReconstructionFailed, match=says):
        volume_of(backend="tomopy", device="cpu", python=liar, timeout_s=2)
    mine = {path for path in shared.glob("streamlcn-tomopy-*") if path.stat().st_uid == os.getuid()}
    assert mine <= before


@pytest.mark.parametrize("liar", ["nothing"], indirect=True)
def test_our_own_takes_over_from_a_backend_that_failed(liar: str) -> None:
    rules = settings(backend="tomopy", device="cpu", python=liar, fallback="fbp")
    with make_reconstructor(rules).start(make_scan(COUNT, None), make_reference(FLATS, DARKS)) as session:
        for i in reversed(range(COUNT)):
            session.add(make_frame(i, float(HALF_TURN[i]), PROJECTIONS[i]))
        with capture_logs() as logs:
            volume = np.concatenate([slab.voxels for slab in session.finish()])
        assert "because tomopy failed" in session.description  # type: ignore[attr-defined]
    assert np.array_equal(volume, volume_of(**FBP))
    assert "everywhere in slice 0" in next(log["why"] for log in logs if "why" in log)


@pytest.mark.parametrize("padding", ["edge", "zero"])
@pytest.mark.parametrize("centre", [41.3, 30.0, 47.5])
def test_rows_are_moved_below_the_pixel(centre: float, padding: str) -> None:
    smooth = line_integrals(BONE, HALF_TURN[:5], COLUMNS, centre)
    smooth = ndimage.gaussian_filter1d(smooth, 2, axis=2).astype(np.float32)
    shifts = np.array([0, 0.25, -0.5, 0, 0.1])
    moved = aligned_rows(smooth, centre, 201, 100, padding, shifts)
    wanted = np.arange(61, 140) - 100 + centre
    for row, before, shift in zip(moved[:, 0], smooth[:, 0], shifts, strict=True):
        seen = (wanted + shift >= 0) & (wanted + shift <= COLUMNS - 1)
        expected = np.interp(wanted[seen] + shift, np.arange(COLUMNS), before)
        np.testing.assert_allclose(row[61:140][seen], expected, atol=0.01 * smooth.max())
