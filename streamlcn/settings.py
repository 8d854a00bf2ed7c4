"""The one base of everything a profile can say.

Each room describes what it needs in its own ``settings.py``; `streamlcn.profile` composes them. Settings are
values: no file is opened and no environment is read in them.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

__all__ = ["Settings"]


class Settings(BaseModel):
    """Frozen, and unknown keys are an error rather than a silent default."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)
