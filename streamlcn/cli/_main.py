"""One group; what it says of its commands is known without importing them."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from importlib.metadata import version
from typing import NamedTuple, cast

import click
import structlog

from streamlcn.errors import BadInput, StreamLCNError

__all__ = ["COMMANDS", "cli", "main"]


class _Place(NamedTuple):
    module: str
    help: str
    is_hidden: bool = False


COMMANDS = {
    "demo": _Place("_demo", "Start tiled, proxy, daemon and a simulated beamline, and run one scan."),
    "run": _Place("_daemon", "Run the daemon: receive scans, reconstruct, segment, measure, store."),
    "worker": _Place("_daemon", "Make results of the journal.", is_hidden=True),
    "simulate": _Place("_simulate", "Publish simulated scans to a running 0MQ proxy."),
    "replay": _Place("_replay", "Process scans again: a journal or a scan file."),
    "reconstruct": _Place("_volumes", "Scan file to volume."),
    "segment": _Place("_volumes", "Volume to labels."),
    "measure": _Place("_measure", "Labels to morphometry."),
    "label": _Place("_label", "Choose the slices to label next and guess them, for people to correct."),
    "train": _Place("_networks", "Train a network on labelled volumes."),
    "finetune": _Place("_networks", "Go on training a network for a new beamline or sample."),
    "evaluate": _Place("_networks", "Judge a network on labelled volumes."),
    "check": _Place("_check", "Look for everything that can be wrong before a beamtime."),
}


class _LazyGroup(click.Group):
    """Knows its commands by name and imports each one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return [name for name, place in COMMANDS.items() if not place.is_hidden]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"streamlcn.cli.{COMMANDS[cmd_name].module}")
        return cast(click.Command, getattr(module, cmd_name))

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, COMMANDS[name].help) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("streamlcn"), prog_name="streamlcn")
def cli() -> None:
    """Reconstruct, segment and measure the lacuna-canalicular network of bone while the sample turns.

    Every command has --help with an example. Results go to stdout, progress and errors to stderr; the exit
    status is 0 for success, 2 for bad input, 1 for failure and 130 when interrupted.

    \b
    Example:
      streamlcn demo --size small
    """
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))  # stdout is for results


def main(arguments: list[str] | None = None) -> None:
    """Run one command and exit with its status."""
    # Threads of torch that wait spin by default: two of our processes on the same cores then slow each other
    # eightfold. Passive waiting costs one process alone a tenth. Read when torch is loaded, which is later.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        status = cli.main(args=arguments, prog_name="streamlcn", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        sys.exit(130)
    except StreamLCNError as error:
        click.echo(f"streamlcn: {error}", err=True)
        sys.exit(2 if isinstance(error, BadInput) else 1)
    except OSError as error:  # a full disk, a folder that may not be written to: no bug, no traceback
        click.echo(f"streamlcn: {error}", err=True)
        sys.exit(1)
    sys.exit(status if isinstance(status, int) else 0)
