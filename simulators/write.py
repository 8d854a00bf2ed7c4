"""The command `python -m simulators write`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from simulators.instruments import load_instrument, randomised
from simulators.sizes import SIZES
from simulators.tuning import tuned


def main(argv: Sequence[str] | None = None) -> int:
    """Write one simulated scan; exit code 2 for a wrong argument."""
    parser = argparse.ArgumentParser(
        prog="python -m simulators write", description="Write a simulated scan as NXtomo, with its truth."
    )
    parser.add_argument("--instrument", default="anatomix", help="anatomix (default), p05 or a .toml file")
    parser.add_argument("--size", default="small", choices=list(SIZES))
    parser.add_argument("--seed", type=int, default=0, help="chooses bone, flaws, motion and noise")
    parser.add_argument("--randomise", action="store_true", help="vary optics, sample and flux for training")
    parser.add_argument("--dropped-share", type=float, default=0.0, help="share of frames that never arrive")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="change the instrument: camera.hot_share=0",
    )
    parser.add_argument("--device", default="cpu", help="where torch computes (default: cpu)")
    parser.add_argument("--out", type=Path, required=True, help="HDF5 file to write")
    chosen = parser.parse_args(argv)
    if not 0 <= chosen.dropped_share < 1:
        parser.error(
            f"--dropped-share is {chosen.dropped_share}: give a share from 0 up to, not including, 1"
        )
    if not chosen.out.parent.is_dir():
        parser.error(f"--out {chosen.out}: there is no folder {chosen.out.parent}")
    try:
        instrument = load_instrument(chosen.instrument)
        if chosen.randomise:
            instrument = randomised(instrument, chosen.seed)
        instrument = tuned(instrument, [f"camera.dropped_share={chosen.dropped_share}", *chosen.set])
    except ValueError as unknown:
        parser.error(str(unknown))

    from simulators.imager import Imager
    from simulators.nxtomo import write_scan

    imager = Imager(instrument, chosen.size, chosen.seed, device=chosen.device)
    write_scan(imager, chosen.out)
    print(
        f"{chosen.out}: {imager.projection_count} projections of {imager.shape[0]} x {imager.shape[1]}, "
        f"porosity {imager.phantom.porosity:.4f}",
        file=sys.stderr,
    )
    return 0
