"""Sizes of files, habits of tests, and words that belong on no other machine."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.repository import ROOT, python_files, text_files

LONGEST = 400
PLACES = {
    "bind",
    "connect",
    "create_connection",
    "create_server",
    "listen",
    "run",
    "serve",
    "start_local_tiled",
}
_ADDRESS = re.compile(r"(127\.0\.0\.1|localhost|0\.0\.0\.0|\[::1?\]|\*):[1-9]\d*")
_SLEEP = re.compile(r"\b(time|asyncio)\.sleep\(|\bimport sleep\b")


def faults(source: str) -> Iterator[str]:
    """Yield where a test sleeps, or opens a port whose number it chose itself."""
    for node in ast.walk(ast.parse(source)):
        if fault := _fault(node):
            yield f"line {getattr(node, 'lineno', '?')}: {fault}"


def _fault(node: ast.AST) -> str:
    match node:
        case ast.Constant(value=str(text)) if _SLEEP.search(text):
            return "a script that sleeps"
        case ast.ImportFrom() if _imports_sleep(node):
            return "imports sleep; wait for what is awaited"
        case ast.Attribute(value=ast.Name(id="time" | "asyncio"), attr="sleep"):
            return "sleeps; wait for what is awaited"
        case ast.Call() if _name(node.func) in PLACES and _chooses_a_port(node):
            return "a fixed port; bind port 0"
        case ast.keyword(arg=str(name)) if name.endswith("port") and _number(node.value):
            return "a fixed port; bind port 0"
        case _:
            return ""


def _imports_sleep(node: ast.ImportFrom) -> bool:
    return node.module in ("time", "asyncio") and any(alias.name == "sleep" for alias in node.names)


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _number(node: ast.expr) -> int:
    """Return a literal whole number, 0 for anything else."""
    return node.value if isinstance(node, ast.Constant) and type(node.value) is int else 0


def _chooses_a_port(call: ast.Call) -> bool:
    """Return whether an argument is ("host", number) or "…host:number"."""
    for argument in call.args:
        if isinstance(argument, ast.Tuple) and len(argument.elts) == 2 and _number(argument.elts[1]):
            return True
        if isinstance(argument, ast.Constant) and _ADDRESS.search(str(argument.value)):
            return True
    return False


def _path(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_files_fit_in_a_head() -> None:
    lines = {_path(path): len(path.read_text("utf-8").splitlines()) for path in python_files()}
    assert {name: count for name, count in lines.items() if count > LONGEST} == {}
    assert len(lines) > 200


@pytest.mark.parametrize("path", python_files("tests"), ids=_path)
def test_a_test_waits_for_what_it_awaits_and_takes_a_free_port(path: Path) -> None:
    if path != Path(__file__):
        assert list(faults(path.read_text("utf-8"))) == []


@pytest.mark.parametrize(
    "source",
    [
        "import time\ntime.sleep(1)",
        "import asyncio\nasync def f():\n    await asyncio.sleep(0.1)",
        "from time import monotonic, sleep",
        "script = 'import time; time.sleep(9)'",
        "wait = time.sleep",
        "sock.bind(('127.0.0.1', 8000))",
        "socket.create_server(('', 5577))",
        "zmq_socket.connect('tcp://127.0.0.1:5577')",
        "start_local_tiled(folder, port=8000)",
        "settings = WebSettings(proxy_port=8790)",
    ],
)
def test_such_a_test_is_found(source: str) -> None:
    assert list(faults(source))


@pytest.mark.parametrize(
    "source",
    [
        "reader = make_frame_reader(settings, sleep=clock.sleep)",
        "sock.bind(('127.0.0.1', 0))",
        "socket.connect(server.address)",
        "zmq_socket.bind('tcp://127.0.0.1:*')",
        "start_local_tiled(folder, port=0)",
        "refused('127.0.0.1:5577')",
        "subprocess.run([program, 'check'], timeout=60)",
    ],
)
def test_an_honest_test_is_left_alone(source: str) -> None:
    assert list(faults(source)) == []


def test_no_text_names_the_machine_it_was_written_on() -> None:
    homes = {str(ROOT), str(Path.home())} - {"/"}
    word = re.compile(
        "|".join([*(rf"(?<![\w.]){re.escape(home)}(?![\w-])" for home in homes), r"/(home|Users)/\w+/"])
    )
    found = [
        f"{_path(path)}: {match[0]}"
        for path in text_files()
        if path != Path(__file__) and (match := word.search(path.read_text("utf-8", "replace")))
    ]
    assert found == []


def test_no_two_test_files_share_a_name() -> None:
    """They would be one module to pytest, which then collects neither."""
    names = [path.name for path in (Path(__file__).parents[1]).rglob("test_*.py")]
    assert sorted(names) == sorted(set(names))
