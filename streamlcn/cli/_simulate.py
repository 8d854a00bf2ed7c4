"""A simulated beamline, in place of this process."""

from __future__ import annotations

import importlib.util
import os
import sys

import click

from streamlcn.errors import BadInput
from streamlcn.profile import load_profile

__all__ = ["simulate"]

_INSTRUMENTS = ("anatomix", "p05")
_PLANS = ("fxi", "hex", "htss")


@click.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@click.argument("profile")
@click.option(
    "--publish",
    default="tcp://localhost:5577",
    show_default=True,
    help="The proxy's in side, where RunEngines publish.",
)
@click.option("--scans", default=1, show_default=True, help="How many scans to run.")
@click.option("--fault", help="A fault to play, such as no-flats, abort or drop:5.")
@click.option("--from-file", "from_file", help="Play this scan file (NXtomo, DXchange) instead of a phantom.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
@click.pass_context
def simulate(
    context: click.Context,
    profile: str,
    publish: str,
    scans: int,
    fault: str | None,
    from_file: str | None,
    as_json: bool,
) -> None:
    """Publish simulated scans to a running 0MQ proxy, as PROFILE's beamline would.

    Every further option goes to the simulated beamline: see python -m simulators scan --help. Examples:

    streamlcn simulate anatomix --size small --seed 3 --assets stream

    streamlcn simulate anatomix --from-file tooth.h5 --pixel-size-um 1.0
    """
    if importlib.util.find_spec("simulators") is None or importlib.util.find_spec("bluesky") is None:
        raise BadInput("the simulated beamline is not installed: pip install 'streamlcn[demo]'")
    name = load_profile(profile).name
    command = [sys.executable, "-m", "simulators", "scan", "--publish", publish, "--scans", str(scans)]
    command += ["--instrument", name] if name in _INSTRUMENTS and not from_file else []
    command += ["--plan", name] if name in _PLANS else []
    for option, value in (("--fault", fault), ("--from-file", from_file)):
        command += [option, value] if value else []
    command += ["--json"] if as_json else []
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(command[0], [*command, *context.args])  # noqa: S606 - our own interpreter; signals go to it
