"""Write what is made from the settings: ``python -m streamlcn.profile schema|keys > FILE``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence

from streamlcn.profile._reference import key_reference
from streamlcn.profile._schema import profile_schema


def _schema() -> str:
    return json.dumps(profile_schema(), indent=1, ensure_ascii=False) + "\n"


PAGES: dict[str, Callable[[], str]] = {"schema": _schema, "keys": key_reference}


def main(arguments: Sequence[str]) -> int:
    """Write one page to stdout; exit status 2 when there is none of that name."""
    page = PAGES.get(arguments[0]) if len(arguments) == 1 else None
    if page is None:
        sys.stderr.write(
            "usage: python -m streamlcn.profile schema > profiles/profile.schema.json\n"
            "       python -m streamlcn.profile keys > docs/profile-keys.md\n"
        )
        return 2
    sys.stdout.write(page())
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
