"""`python -m simulators scan|write ...`: each command's module is imported only when it is asked for."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

_COMMANDS = {
    "scan": ("simulators.scan", "publish a scan as bluesky documents, from simulated devices"),
    "write": ("simulators.write", "write a scan as an NXtomo file with its truth"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Hand the arguments to the command named first; exit code 2 when there is none of that name."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # do not spin on cores that the daemon computes on
    words = list(sys.argv[1:] if argv is None else argv)
    if words and words[0] in _COMMANDS:
        return int(importlib.import_module(_COMMANDS[words[0]][0]).main(words[1:]) or 0)
    wants_help = not words or words[0] in ("-h", "--help")
    lines = ["usage: python -m simulators COMMAND [options]", ""]
    lines += [f"  {name:8}{what}" for name, (_, what) in _COMMANDS.items()]
    lines += ["", "python -m simulators COMMAND --help lists a command's options."]
    if not wants_help:
        lines.insert(0, f"no command named {words[0]!r}")
    print("\n".join(lines), file=sys.stdout if wants_help else sys.stderr)
    return 0 if wants_help else 2


if __name__ == "__main__":
    raise SystemExit(main())
