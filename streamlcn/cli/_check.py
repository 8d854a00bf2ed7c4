"""A doctor for a beamline: everything that can be wrong before a beamtime."""

from __future__ import annotations

import os
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from streamlcn.cli._output import json_option, print_json, set_option

if TYPE_CHECKING:
    from streamlcn.cli._finding import Check, Finding, Subject

__all__ = ["check"]

_SIGNS = {"green": "✓", "amber": "!", "red": "✗"}
_COLOURS = {"green": "green", "amber": "yellow", "red": "red"}


@click.command()
@click.argument("profile")
@set_option
@json_option
def check(profile: str, overrides: tuple[str, ...], as_json: bool) -> int:
    """Look for everything that can be wrong before a beamtime with PROFILE, one line each, with the remedy.

    Green is well, amber works and is worth a look, red makes scans fail. Exits with 0 when nothing is red,
    else with 1. What it makes to try rights, a file and a container in tiled, it removes.

    \b
    Example:
      streamlcn check anatomix --set ingest.address=tcp://proxy:5578
    """
    from streamlcn.cli._finding import Subject
    from streamlcn.profile import load_profile, parse_overrides

    loaded = load_profile(profile, parse_overrides(overrides))
    subject = Subject(loaded, os.environ)
    findings: dict[str, Finding] = {}
    for name, look in _checks().items():
        findings[name] = _looked(look, subject)
        if not as_json:
            _print(name, findings[name])
    is_well = all(finding.state != "red" for finding in findings.values())
    if as_json:
        told = [{"name": name, **asdict(finding)} for name, finding in findings.items()]
        print_json({"profile": loaded.name, "ok": is_well, "checks": told})
    return 0 if is_well else 1


def _checks() -> dict[str, Check]:
    """Return the checks by name, what needs least first."""
    from streamlcn.cli import _check_cluster as cluster
    from streamlcn.cli import _check_compute as compute
    from streamlcn.cli import _check_places as places
    from streamlcn.cli import _check_servers as servers
    from streamlcn.cli._finding import green

    return {
        "profile": lambda subject: green(f"{subject.profile.name}, {subject.profile.folder}"),
        "journal": places.check_journal,
        "spool": places.check_spool,
        "detector files": places.check_roots,
        "live page": places.check_web,
        "proxy": servers.check_proxy,
        "tiled": servers.check_tiled,
        "tiled key": servers.check_tiled_key,
        "tiled root": servers.check_tiled_root,
        "clock": places.check_clock,
        "model": compute.check_model,
        "model fit": compute.check_model_fit,
        "device": compute.check_device,
        "reconstruction": compute.check_reconstruction,
        "workers": cluster.check_workers,
    }


def _looked(look: Check, subject: Subject) -> Finding:
    from streamlcn.cli._finding import red

    try:
        return look(subject)
    except Exception as error:  # noqa: BLE001 - a doctor goes on to the next organ, whatever this one did
        return red(f"the check itself failed: {type(error).__name__}: {error}", "please report this as a bug")


def _print(name: str, finding: Finding) -> None:
    click.secho(f"{_SIGNS[finding.state]} {name:<15}", fg=_COLOURS[finding.state], bold=True, nl=False)
    click.echo(finding.text)
    if finding.remedy:
        click.echo(f"{'':17}→ {finding.remedy}")
