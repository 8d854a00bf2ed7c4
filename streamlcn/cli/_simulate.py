"""A simulated beamline, in a process of its own."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import click

from streamlcn.errors import BadInput
from streamlcn.profile import load_profile

__all__ = ["simulate"]


@click.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@click.argument("profile")
@click.option("--publish", help="The proxy's in side, where RunEngines publish (tcp://HOST:PORT).")
@click.option("--scans", default=1, show_default=True, help="How many scans to run.")
@click.option("--fault", help="A fault to play, such as no-flats, abort or drop:5.")
@click.option("--from-file", "from_file", help="Play this scan file (NXtomo, DXchange) instead of a phantom.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")
@click.pass_context
def simulate(
    context: click.Context,
    profile: str,
    publish: str | None,
    scans: int,
    fault: str | None,
    from_file: str | None,
    as_json: bool,
) -> int:
    """Publish simulated scans to a running 0MQ proxy, as PROFILE's beamline would.

    Every further option goes to the simulated beamline: see ``python -m simulators scan --help``.

    \b
    Example:
      streamlcn simulate anatomix --publish tcp://localhost:5577 --scans 3 --size medium
    """
    if importlib.util.find_spec("simulators") is None:
        raise BadInput("the simulated beamline is not installed: pip install 'streamlcn[demo]'")
    name = load_profile(profile).name
    command = [sys.executable, "-m", "simulators", "scan", "--scans", str(scans)]
    command += ["--instrument", name] if name in _instruments() else []
    for option, value in (("--publish", publish), ("--fault", fault), ("--from-file", from_file)):
        command += [option, value] if value else []
    command += ["--json"] if as_json else []
    return subprocess.call([*command, *context.args])


def _instruments() -> tuple[str, ...]:
    return ("anatomix", "p05")
