"""How commands speak: results on stdout (a table, or JSON for programs), everything else on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import click
import orjson
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

__all__ = [
    "console",
    "device_option",
    "force_option",
    "json_option",
    "print_json",
    "print_values",
    "progress_bars",
    "set_option",
    "warn",
]

F = TypeVar("F", bound=Callable[..., Any])


def json_option(command: F) -> F:
    """Add ``--json`` as parameter ``as_json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object on stdout.")(command)


def force_option(command: F) -> F:
    """Add ``--force`` as parameter ``force``."""
    return click.option("--force", is_flag=True, help="Replace what is there already.")(command)


def device_option(command: F) -> F:
    """Add ``--device`` as parameter ``device``."""
    text = "auto (a GPU where there is one), cpu, or a torch device such as cuda:1."
    return click.option("--device", default="auto", show_default=True, help=text)(command)


def set_option(command: F) -> F:
    """Add ``--set KEY=VALUE``, which may be repeated, as parameter ``overrides``."""
    text = "Value for a dotted key of the profile, such as store.uri=http://host:8000; may be repeated."
    return click.option("--set", "overrides", multiple=True, metavar="KEY=VALUE", help=text)(command)


def print_json(values: Any) -> None:
    """Print one JSON object; arrays become lists, NaN becomes null."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
    click.echo(orjson.dumps(values, option=options, default=str).decode())


def print_values(title: str, rows: Iterable[tuple[str, Any]]) -> None:
    """Print a table of names and values on stdout."""
    table = Table(title=title, title_justify="left")
    table.add_column("quantity")
    table.add_column("value", justify="right", overflow="fold")
    for name, value in rows:
        table.add_row(Text(name), Text(f"{value:.5g}" if isinstance(value, float) else str(value)))
    Console().print(table)


def warn(text: str) -> None:
    """Say on stderr what people should know and programs can do without."""
    click.echo(f"warning: {text}", err=True)


def console() -> Console:
    """Return a console on stderr."""
    return Console(stderr=True)


def progress_bars() -> Progress:
    """Return bars on stderr, a context manager."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description:<22}"),
        BarColumn(bar_width=32),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console(),
    )
