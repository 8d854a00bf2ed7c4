"""How the plans of several beamlines read: what the shipped profiles say about documents."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from streamlcn.documents.settings import DocumentSettings
from streamlcn.profile import load_profile

_PROFILES = Path(__file__).parents[2] / "profiles"


@cache
def _documents(plan: str) -> dict[str, Any]:
    return load_profile(_PROFILES / plan).documents.model_dump(exclude_unset=True)


def settings_for(plan: str, root: str = "/", **more: Any) -> DocumentSettings:
    """Return the settings for one of the simulated plans, with files allowed below ``root``.

    ``more`` replaces whole sections.
    """
    return DocumentSettings.model_validate({**_documents(plan), "files": {"allowed_roots": [root]}, **more})
