from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from streamlcn.errors import BadInput
from streamlcn.store import MemoryStore, SpoolStore, StoreSettings, TiledStore, make_store, read_api_key


def test_each_setting_makes_its_store(tmp_path: Path) -> None:
    environ = {"STREAMLCN_TILED_API_KEY": "k"}
    assert isinstance(make_store(StoreSettings(backend="memory"), environ={}), MemoryStore)
    with closing(make_store(StoreSettings(), environ=environ)) as direct:
        assert isinstance(direct, TiledStore)
    with closing(make_store(StoreSettings(), environ=environ, spool_dir=tmp_path)) as spooled:
        assert isinstance(spooled, SpoolStore)


def test_a_key_comes_from_the_environment_before_the_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("from file\n")
    settings = StoreSettings(api_key_file=file, api_key_env="K")
    assert read_api_key(settings, {"K": "from environment"}) == "from environment"
    assert read_api_key(settings, {}) == "from file"


def test_no_key_is_said_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="set the environment variable STREAMLCN_TILED_API_KEY"):
        make_store(StoreSettings(), environ={})
    with pytest.raises(BadInput, match="api_key_file cannot be read"):
        make_store(StoreSettings(api_key_file=tmp_path / "none"), environ={})
