"""The demonstration."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import click

from streamlcn.cli._output import console, json_option, print_json
from streamlcn.errors import BadInput

if TYPE_CHECKING:
    from streamlcn.demo import DemoResult

__all__ = ["demo"]


@click.command()
@click.option(
    "--profile", default="anatomix", show_default=True, help="Beamline to simulate: anatomix or p05."
)
@click.option(
    "--size", type=click.Choice(["tiny", "small", "medium", "paper"]), default="small", show_default=True
)
@click.option("--seed", default=0, show_default=True, help="Another seed is another bone.")
@click.option("--keep", type=click.Path(path_type=Path), help="Keep what was written in this folder.")
@json_option
def demo(profile: str, size: str, seed: int, keep: Path | None, as_json: bool) -> None:
    """Run one simulated scan through the whole house, and set the numbers beside the phantom's truth.

    Starts a tiled server, a 0MQ proxy, the daemon and a simulated beamline as processes of their own, on free
    ports of the loopback interface, and ends them all.

    \b
    Example:
      streamlcn demo --size small --keep demo-result
    """
    for module in ("bluesky", "ophyd_async", "simulators", "matplotlib", "tiled.server"):
        if find_spec(module) is None:
            raise BadInput(f"the demonstration needs {module}: pip install 'streamlcn[demo]'")
    from streamlcn.demo import run_demo
    from streamlcn.demo._processes import stop_signals_raise
    from streamlcn.demo._progress import ScanProgress

    with stop_signals_raise(), _folder(keep) as folder:
        with ScanProgress(console()) as progress:
            result = run_demo(profile, size, folder, progress, seed=seed)
        if as_json:
            print_json({**asdict(result), "figure": str(result.figure) if keep else None})
        else:
            _show(result, keep)


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """Yield an empty folder; one that is not kept is removed."""
    if keep is not None:
        if keep.exists():
            if not (keep / ".streamlcn-demo").exists():
                raise BadInput(f"--keep {keep}: there is something else already; name another folder")
            shutil.rmtree(keep)
        keep.mkdir(parents=True)
        (keep / ".streamlcn-demo").touch()
        yield keep.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="streamlcn-demo-", ignore_cleanup_errors=True) as folder:
        yield Path(os.path.realpath(folder))


def _show(result: DemoResult, keep: Path | None) -> None:
    from streamlcn.demo._report import comparison_table

    out = console()
    out.print(comparison_table(result.comparison))
    seconds = result.seconds
    out.print(
        f"last projection → readable in tiled: {seconds['last_projection_to_readable']:.1f} s; "
        f"scan {seconds['scan']:.1f} s; everything {seconds['total']:.0f} s"
    )
    out.print("while it ran: " + ", ".join(f"{name} {url}" for name, url in result.urls.items()))
    for text in result.metadata.get("warnings", ()):
        out.print(f"[yellow]! {text}[/yellow]")
    if keep is not None:
        out.print(f"figure: {result.figure}")
        out.print(
            f"to look at the result: tiled serve config {result.figure.parent / 'tiled' / 'config.yml'}"
        )
