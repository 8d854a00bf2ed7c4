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


def _list_faults(context: click.Context, _: click.Parameter, is_wanted: bool) -> None:
    if is_wanted and not context.resilient_parsing:
        _require_simulators()
        _become(["--list-faults"])


@click.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@click.argument("profile")
@click.option(
    "--publish",
    default="tcp://localhost:5577",
    show_default=True,
    help="The proxy's in side, where RunEngines publish.",
)
@click.option("--scans", default=1, show_default=True, help="How many scans to run.")
@click.option("--fault", metavar="NAME", help="A fault to play; --list-faults names them all.")
@click.option(
    "--list-faults",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_list_faults,
    help="Print the names of all faults and exit.",
)
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
    _require_simulators()
    name = load_profile(profile).name
    options = ["--publish", publish, "--scans", str(scans)]
    options += ["--instrument", name] if name in _INSTRUMENTS and not from_file else []
    options += ["--plan", name] if name in _PLANS else []
    for option, value in (("--fault", fault), ("--from-file", from_file)):
        options += [option, value] if value else []
    options += ["--json"] if as_json else []
    _become([*options, *context.args])


def _require_simulators() -> None:
    if importlib.util.find_spec("simulators") is None or importlib.util.find_spec("bluesky") is None:
        raise BadInput("the simulated beamline is not installed: pip install 'streamlcn[demo]'")


def _become(options: list[str]) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    command = [sys.executable, "-m", "simulators", "scan", *options]
    os.execv(command[0], command)  # noqa: S606 - our own interpreter; signals go to it
