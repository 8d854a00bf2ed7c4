"""What docs/results.md says is done here, on a real server, as it stands there."""

from __future__ import annotations

import re
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamlcn.store import LocalTiled, StoreSettings, TiledStore
from tests.store.contract import a_scan

PAGE = Path(__file__).parents[2] / "docs" / "results.md"


def _examples() -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


def test_its_examples_run(tiled: LocalTiled, capsys: pytest.CaptureFixture[str]) -> None:
    labels = np.random.default_rng(0).integers(0, 4, (12, 5, 6), np.uint8)
    with closing(TiledStore(StoreSettings(uri=tiled.uri), tiled.api_key)) as store:
        for uid, porosity in (("doc-low", 0.01), ("doc-high", 0.09)):
            with store.open(a_scan(uid), "r1", {"profile": "anatomix"}) as result:
                for key, array in {"labels": labels, "reconstruction": labels.astype(np.float32)}.items():
                    result.create_array(key, array.shape, array.dtype, {})
                    result.write_array(key, 0, array)
                result.write_table("lacunae", {"id": np.arange(3)})
                result.commit("complete", {"lcn": {"porosity": porosity}, "ood": {"flag": False}})

    reading, fetching, _ = _examples()
    names: dict[str, Any] = {"address": tiled.uri, "key": tiled.api_key}
    exec(reading, names)
    with closing(names["client"].context):
        assert names["uid"] == "doc-high"
        np.testing.assert_array_equal(names["middle"], labels[10])
        np.testing.assert_array_equal(names["volume"], labels)
        assert list(names["lacunae"]["id"]) == [0, 1, 2]
    exec(fetching, names)
    np.testing.assert_array_equal(names["found"].arrays["labels"], labels)
    assert "doc-high 0.09" in capsys.readouterr().out


@pytest.mark.slow
def test_its_server_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {"folder": tmp_path}
    exec(_examples()[-1], names)
    assert "http://127.0.0.1:" in capsys.readouterr().out
    assert names["server"].process.poll() is not None
