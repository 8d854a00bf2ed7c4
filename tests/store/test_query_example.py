"""docs/examples/query_results.py against a real server that holds results."""

from __future__ import annotations

import importlib.util
import warnings
from contextlib import closing
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree as ET

import numpy as np
import pytest
import tifffile

from streamlcn.morphometry import analyse
from streamlcn.store import LocalTiled, StoreSettings, TiledStore
from tests.store.contract import a_scan

SCRIPT = Path(__file__).parents[2] / "docs" / "examples" / "query_results.py"
VOXEL_UM = 0.5


def example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("query_results", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        spec.loader.exec_module(module)
    return module


def bone(side: int) -> np.ndarray:
    """Return (z, y, x) labels: bone with one cube of LCN."""
    labels = np.ones((30, 32, 34), np.uint8)
    labels[10 : 10 + side, 10 : 10 + side, 10 : 10 + side] = 2
    return labels


@pytest.fixture(scope="module")
def stored(tiled: LocalTiled) -> dict[str, np.ndarray]:
    """Four scans: porous; more so and partial; porous and unlike the training data; dense."""
    scans = {
        "query-porous": (bone(10), "complete", False),
        "query-partial": (bone(12), "partial", False),
        "query-unlike": (bone(10), "complete", True),
        "query-dense": (bone(4), "complete", False),
    }
    with closing(TiledStore(StoreSettings(uri=tiled.uri, root=["query"]), tiled.api_key)) as store:
        for uid, (labels, status, is_unlike) in scans.items():
            analysis = analyse(labels, VOXEL_UM)
            opening = {"voxel_size_um": VOXEL_UM, "model": {"name": "m", "sha256": "5" * 64}}
            with store.open(a_scan(uid), "r1", opening) as result:
                result.create_array("labels", labels.shape, labels.dtype, {})
                result.write_array("labels", 0, labels)
                result.write_table("thickness_histogram", analysis.thickness_histogram)
                porosity = analysis.morphometry.lcn.porosity
                result.commit(status, {"lcn": {"porosity": porosity}, "ood": {"flag": is_unlike}})
    return {uid: labels for uid, (labels, _, _) in scans.items()}


def test_it_finds_plots_and_exports(
    tiled: LocalTiled,
    stored: dict[str, np.ndarray],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TILED_API_KEY", tiled.api_key)
    example().main([tiled.uri, "--root", "query", "--above", "0.02", "--out", str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("query-porous  porosity 3.")
    assert lines[1:] == ["1 scans with a porosity above 2.0%"]
    assert (tmp_path / "thickness.png").read_bytes().startswith(b"\x89PNG")
    with tifffile.TiffFile(tmp_path / "query-porous-labels.ome.tif") as file:
        np.testing.assert_array_equal(file.asarray(), stored["query-porous"])
        assert file.series[0].axes == "ZYX"
        pixels = ET.fromstring(file.ome_metadata).find(".//{*}Pixels")
    assert pixels is not None
    assert [float(pixels.attrib[f"PhysicalSize{axis}"]) for axis in "XYZ"] == [VOXEL_UM] * 3


def test_nothing_found_is_said(
    tiled: LocalTiled,
    stored: dict[str, np.ndarray],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TILED_API_KEY", tiled.api_key)
    example().main([tiled.uri, "--root", "query", "--above", "0.5", "--out", str(tmp_path)])
    assert capsys.readouterr().out == "0 scans with a porosity above 50.0%\n"
    assert list(tmp_path.iterdir()) == []
