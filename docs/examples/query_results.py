"""Ask tiled for porous bones: print them, plot their thickness, export labels for napari and ParaView.

    export TILED_API_KEY=...
    python docs/examples/query_results.py http://tiled-host:8000 --above 0.02 --out porous

needs `pip install 'tiled[client]' matplotlib tifffile`, not streamlcn. docs/query-results.md explains it.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import tifffile
from tiled.client import from_uri
from tiled.queries import Key

mpl.use("Agg")
import matplotlib.pyplot as plt


def porous_scans(root: Any, above: float) -> list[tuple[str, Any]]:
    """Return (uid, newest result) of all whole, trustworthy scans with a porosity above ``above``.

    The server searches; only what fits travels. tiled sorts numbers as text, so the order is made here.
    """
    scans = root.search(Key("lcn.porosity") > above)
    scans = scans.search(Key("status") == "complete").search(Key("ood.flag") == False)  # noqa: E712
    found = [(uid, scan[scan.metadata["recipe_hash"]]) for uid, scan in scans.items()]
    return sorted(found, key=lambda entry: -entry[1].metadata["lcn"]["porosity"])


def slices(array: Any) -> Iterator[npt.NDArray[Any]]:
    """Yield an array of tiled slice by slice; no more than one chunk of it is in memory."""
    height = array.chunks[0][0]  # results are chunked along z, whole slices
    for start in range(0, array.shape[0], height):
        yield from np.asarray(array[start : start + height])


def export(array: Any, path: Path, voxel_um: float) -> None:
    """Write an array of tiled as OME-TIFF, (z, y, x), with its voxel size."""
    size = {f"PhysicalSize{axis}": voxel_um for axis in "XYZ"}
    unit = {f"PhysicalSize{axis}Unit": "µm" for axis in "XYZ"}
    with tifffile.TiffWriter(path, ome=True) as file:
        file.write(
            slices(array),
            shape=array.shape,
            dtype=array.dtype,
            photometric="minisblack",
            compression="zlib",
            metadata={"axes": "ZYX", **size, **unit},
        )


def plot_thickness(found: list[tuple[str, Any]], path: Path) -> None:
    """Draw the histograms of local thickness over each other, as shares of the LCN's volume."""
    figure, axis = plt.subplots(figsize=(6, 4), layout="constrained")
    for uid, result in found:
        table = result["thickness_histogram"].read()
        edges = np.append(table["lower_um"], table["upper_um"].iloc[-1])
        name = f"{uid[:8]}, porosity {result.metadata['lcn']['porosity']:.2%}"
        axis.stairs(100 * table["fraction"], edges, label=name)
    axis.set_xlabel("local thickness of the LCN (µm)")
    axis.set_ylabel("share of its volume (%)")
    axis.legend(frameon=False)
    figure.savefig(path, dpi=150)
    plt.close(figure)


def main(words: list[str] | None = None) -> None:
    """Do all of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("uri")
    parser.add_argument("--above", type=float, default=0.02, help="porosity as a ratio (default: 0.02)")
    parser.add_argument(
        "--root", default="streamlcn", help="`store.root` of the profile (default: streamlcn)"
    )
    parser.add_argument("--out", type=Path, default=Path("porous"), help="folder for pictures and TIFF files")
    asked = parser.parse_args(words)
    asked.out.mkdir(parents=True, exist_ok=True)
    client = from_uri(asked.uri, api_key=os.environ.get("TILED_API_KEY"))
    with closing(client.context):
        found = porous_scans(client[asked.root], asked.above)
        for uid, result in found:
            known = result.metadata
            print(f"{uid}  porosity {known['lcn']['porosity']:.2%}  model {known['model']['sha256'][:12]}")
            export(result["labels"], asked.out / f"{uid}-labels.ome.tif", known["voxel_size_um"])
        print(f"{len(found)} scans with a porosity above {asked.above:.1%}")
        if found:
            plot_thickness(found, asked.out / "thickness.png")


if __name__ == "__main__":
    main()
