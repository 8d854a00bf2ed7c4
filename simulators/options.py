"""The options of `python -m simulators scan`."""

from __future__ import annotations

import argparse
from pathlib import Path

from simulators.angles import ORDERS
from simulators.codecs import CODECS
from simulators.plan_shapes import SHAPES
from simulators.simulated import REFERENCE_COUNT
from simulators.sizes import SIZES


class _ListFaults(argparse.Action):
    """Print the names of all faults, one a line, and exit."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object, **__: object) -> None:
        from simulators.faults import FAULT_NAMES

        print("\n".join(FAULT_NAMES))
        parser.exit()


def scan_parser() -> argparse.ArgumentParser:
    """Return the parser; docs/beamline.md says more about each option."""
    parser = argparse.ArgumentParser(
        prog="python -m simulators scan",
        description="Run tomography scans with a real RunEngine on simulated devices; publish the documents.",
    )
    _add_wire(parser.add_argument_group("where documents go"))
    _add_subject(parser.add_argument_group("what is scanned"))
    _add_plan(parser.add_argument_group("how it is scanned"))
    _add_output(parser.add_argument_group("what is kept and told"))
    return parser


def check_subject(chosen: argparse.Namespace) -> None:
    """Refuse options that contradict each other; raises ValueError."""
    if chosen.from_file and chosen.from_tiled:
        raise ValueError("--from-file and --from-tiled exclude each other")
    if bool(chosen.from_tiled) != bool(chosen.run):
        raise ValueError("--from-tiled URI and --run UID go together")
    stored = "--from-file" if chosen.from_file else "--from-tiled" if chosen.from_tiled else None
    for option in ("order", "flats", "darks", "truth_out", "set", "device") if stored else ():
        if getattr(chosen, option):
            raise ValueError(
                f"--{option.replace('_', '-')} has no meaning with {stored}: the scan is as it was"
            )
    for option in () if stored else ("pixel_size_um", "energy_kev", "line_integrals"):
        if getattr(chosen, option):
            raise ValueError(
                f"--{option.replace('_', '-')} is for a stored scan: add --from-file or --from-tiled"
            )
    if chosen.real_time and (chosen.period or stored):
        raise ValueError(
            "--real-time is the simulated camera's own pace: leave it out with --period or a stored scan"
        )
    if chosen.truth_out and chosen.truth_out.suffix not in (".npz", ".h5", ".hdf5"):
        raise ValueError(f"--truth-out {chosen.truth_out}: its name must end in .npz or .h5")


def _add_wire(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--publish", required=True, metavar="tcp://HOST:PORT", help="the in side of a bluesky 0MQ proxy"
    )
    group.add_argument("--codec", choices=sorted(CODECS), default="pickle", help="default: pickle")
    group.add_argument("--prefix", default="", help="put before each document; subscribers can filter by it")
    group.add_argument(
        "--wait", type=_not_negative, default=15.0, metavar="S", help="seconds to wait for the proxy (15)"
    )


def _add_subject(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--instrument", default="anatomix", help="anatomix (default), p05 or a .toml file")
    group.add_argument(
        "--set", action="append", metavar="NAME=VALUE", help="change the instrument: camera.hot_share=0"
    )
    group.add_argument("--device", help="where torch computes images (default: cpu)")
    group.add_argument("--size", choices=list(SIZES), default="small", help="default: small")
    group.add_argument(
        "--seed", type=int, default=0, help="bone, flaws, motion and noise; scan k of several uses seed + k"
    )
    group.add_argument(
        "--from-file", type=Path, metavar="FILE", help="play this DXchange or NXtomo file instead"
    )
    group.add_argument(
        "--from-tiled", metavar="URI", help="play a raw run stored in this tiled catalogue instead"
    )
    group.add_argument("--run", metavar="UID", help="which run of --from-tiled")
    group.add_argument(
        "--tiled-key",
        metavar="NAME",
        default="TILED_API_KEY",
        help="environment variable that holds the API key (default: TILED_API_KEY)",
    )
    group.add_argument("--pixel-size-um", type=_positive, help="of a stored scan that does not say")
    group.add_argument("--energy-kev", type=_positive, help="of a stored scan that does not say")
    group.add_argument(
        "--line-integrals", action="store_true", help="the stored frames are -log(transmission) already"
    )


def _add_plan(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--plan", choices=list(SHAPES), default="anatomix", help="default: anatomix")
    group.add_argument("--mode", choices=("step", "fly"), help="default: the plan's first")
    group.add_argument(
        "--assets",
        choices=("inline", "resource", "stream"),
        help="how pixels travel (default: the plan's first)",
    )
    group.add_argument(
        "--no-swmr", action="store_true", help="write HDF5 that must be reopened to be read on"
    )
    group.add_argument("--order", choices=list(ORDERS), help="of angles (default: linear)")
    group.add_argument("--projections", type=_count, metavar="N", help="default: the size's, or all stored")
    group.add_argument("--flats", type=_count, metavar="N", help=f"default: {REFERENCE_COUNT}")
    group.add_argument("--darks", type=_count, metavar="N", help=f"default: {REFERENCE_COUNT}")
    group.add_argument(
        "--period", type=_not_negative, default=0.0, metavar="S", help="least seconds per frame (default: 0)"
    )
    group.add_argument("--real-time", action="store_true", help="a period of the instrument's exposure time")
    group.add_argument(
        "--scans", type=_count, default=1, metavar="N", help="one after the other (default: 1)"
    )
    group.add_argument("--fault", metavar="NAME", help="play a fault; --list-faults names them")
    group.add_argument("--list-faults", action=_ListFaults, nargs=0, help="print all faults and exit")
    group.add_argument(
        "--tell-axis", action="store_true", help="put rotation_axis_px into the start document"
    )


def _add_output(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--data-dir",
        type=Path,
        metavar="DIR",
        help="where detectors write files (default: a new temporary folder)",
    )
    group.add_argument(
        "--truth-out", type=Path, metavar="FILE", help="write the sample's labels (.npz or .h5)"
    )
    group.add_argument("--json", action="store_true", help="print one JSON object on stdout at the end")


def _number(text: str) -> float:
    value = float(text)
    if value != value or value in (float("inf"), float("-inf")):
        raise argparse.ArgumentTypeError(f"{text} is not a finite number")
    return value


def _not_negative(text: str) -> float:
    if (value := _number(text)) < 0:
        raise argparse.ArgumentTypeError(f"{text} is negative")
    return value


def _positive(text: str) -> float:
    if (value := _number(text)) <= 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def _count(text: str) -> int:
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return value
