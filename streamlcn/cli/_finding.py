"""What one look at one thing found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from streamlcn.segmentation import OtsuSettings, load_model

if TYPE_CHECKING:
    from streamlcn.profile import Profile
    from streamlcn.segmentation import Model

__all__ = ["Check", "Finding", "Subject", "amber", "green", "red"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Green: well. Amber: works, but look at it. Red: a scan will fail. ``remedy`` says what to do."""

    state: Literal["green", "amber", "red"]
    text: str
    remedy: str | None = None


def green(text: str) -> Finding:
    """Return what is well."""
    return Finding(state="green", text=text)


def amber(text: str, remedy: str | None = None) -> Finding:
    """Return what works and is worth a look."""
    return Finding(state="amber", text=text, remedy=remedy)


def red(text: str, remedy: str) -> Finding:
    """Return what is broken."""
    return Finding(state="red", text=text, remedy=remedy)


class Subject:
    """A profile under examination, with what several checks look at."""

    def __init__(self, profile: Profile, environ: Mapping[str, str]) -> None:
        self.profile = profile
        self.environ = environ

    @cached_property
    def model(self) -> Model | None:
        """The network on the CPU, None where the profile asks for thresholds; raises `BadInput`."""
        settings = self.profile.segmentation
        if isinstance(settings, OtsuSettings):
            return None
        return load_model(Path(self.profile.folder) / settings.bundle, device="cpu", sha256=settings.sha256)


Check: TypeAlias = Callable[[Subject], Finding]
