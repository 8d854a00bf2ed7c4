"""The command line. Progress and errors go to stderr; results go to stdout.

Exit status: 0 success, 2 bad input, 1 failure, 130 interrupted.
"""

from streamlcn.cli._main import main

__all__ = ["main"]
