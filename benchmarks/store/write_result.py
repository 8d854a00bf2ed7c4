"""How long one result takes to be filed in a real local tiled server and read back.

``python benchmarks/store/write_result.py`` prints one JSON line per variant: block size, connections, spool.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

from streamlcn.model import Scan
from streamlcn.ports import ResultStore
from streamlcn.store import SpoolStore, StoreSettings, TiledStore, fetch_result, start_local_tiled

_VARIANTS = [(16, 1, True), (16, 1, False), (16, 4, False), (6, 1, False), (32, 1, False), (0.14, 1, False)]


def main() -> None:
    """Measure every variant three times; the fastest is printed, and what the first ever took."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", type=int, nargs=3, default=(144, 192, 192), help="z y x")
    shape = tuple(parser.parse_args().shape)
    arrays = _arrays(shape)
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        with start_local_tiled(Path(folder) / "tiled") as server:
            server.wait_ready()
            print(json.dumps({"server_ready_s": round(time.perf_counter() - started, 2)}), flush=True)
            for variant in _VARIANTS:
                settings = StoreSettings(uri=server.uri, block_mb=variant[0], connections=variant[1])
                with closing(_store(settings, server.api_key, Path(folder) if variant[2] else None)) as store:
                    seconds = [_write(store, arrays, f"{variant}-{n}") for n in range(3)]
                with _timed() as reading:
                    fetch_result(server.uri, server.api_key, f"{variant}-0")
                _report(variant, seconds, reading)


def _report(variant: tuple[float, int, bool], seconds: list[float], reading: list[float]) -> None:
    block_mb, connections, spool = variant
    values = {"block_mb": block_mb, "connections": connections, "spool": spool}
    times = {"first_s": seconds[0], "best_s": min(seconds), "read_s": reading[0]}
    print(json.dumps(values | {name: round(value, 2) for name, value in times.items()}), flush=True)


def _arrays(shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    random = np.random.default_rng(0)
    labels = random.integers(0, 4, shape, np.uint8)
    volume = random.standard_normal(shape, np.float32)
    return {
        "reconstruction": volume,
        "labels": labels,
        "cells": labels.astype(np.int32),
        "thickness": np.abs(volume),
        "preview/xy": volume[0],
        "preview/xz": volume[:, 0],
        "preview/yz": volume[:, :, 0],
    }


def _store(settings: StoreSettings, api_key: str, spool: Path | None) -> ResultStore:
    store = TiledStore(settings, api_key)
    return SpoolStore(store, spool / "spool") if spool else store


def _write(store: ResultStore, arrays: dict[str, np.ndarray], uid: str) -> float:
    scan = Scan(uid=uid, projection_count=1, detector_shape=None, voxel_size_um=0.1)
    with _timed() as seconds, store.open(scan, "r", {"profile": "benchmark"}) as result:
        for key, array in arrays.items():
            result.create_array(key, array.shape, array.dtype, {})
            result.write_array(key, 0, array)
        result.write_table("lacunae", {"id": np.arange(40), "volume_um3": np.linspace(0, 1, 40)})
        result.write_table("thickness_histogram", {"lower_um": np.linspace(0, 1, 30)})
        result.commit("complete", {"lcn": {"porosity": 0.05}})
    return seconds[0]


@contextmanager
def _timed() -> Iterator[list[float]]:
    seconds: list[float] = []
    started = time.perf_counter()
    yield seconds
    seconds.append(time.perf_counter() - started)


if __name__ == "__main__":
    main()
