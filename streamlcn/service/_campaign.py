"""Many stored scans, processed again one after the other; what is there already is not done twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from streamlcn.errors import StreamLCNError
from streamlcn.model import ScanUpdate
from streamlcn.pipeline import Parts, Router
from streamlcn.store import FoundRun

__all__ = ["Campaign", "Numbers", "Outcome"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """What two results of one scan are compared by."""

    status: str | None
    porosity: float | None = None
    lacunae: int | None = None
    recipe_hash: str | None = None

    @classmethod
    def of(cls, metadata: Mapping[str, Any]) -> Numbers:
        """Return those of a result's metadata."""
        return cls(
            status=metadata.get("status"),
            porosity=(metadata.get("lcn") or {}).get("porosity"),
            lacunae=(metadata.get("lacunae") or {}).get("count"),
            recipe_hash=metadata.get("recipe_hash"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one scan: done now, skipped because its new result was complete, or failed and why."""

    uid: str
    outcome: Literal["done", "skipped", "failed"]
    old: Numbers
    new: Numbers | None
    reason: str = ""


class Campaign:
    """Takes scans through the pipeline; hand ``hear`` to the parts as what they emit to.

    ``updates_of`` gives the updates of a raw run. A scan that fails leaves the others alone.
    """

    def __init__(self, updates_of: Callable[[str], Iterator[ScanUpdate]], recipe_hash: str) -> None:
        self._updates_of, self._recipe_hash = updates_of, recipe_hash
        self._numbers: Mapping[str, Any] = {}
        self._status: str | None = None
        self._reason = ""

    def hear(self, event: Mapping[str, Any]) -> None:
        """Take one event of the pipeline."""
        match event.get("event"):
            case "morphometry" if not event["provisional"]:
                self._numbers = event["values"]
            case "result":
                self._status = event["status"]
            case "warning" if event.get("level") == "error":
                self._reason = event["text"]

    def run(self, runs: Iterable[FoundRun], parts: Parts) -> Iterator[Outcome]:
        """Process those that have no complete result under the recipe; yield what became of each."""
        for run in runs:
            old = Numbers.of(run.old)
            if run.new is not None and run.new.get("status") == "complete":
                yield Outcome(uid=run.uid, outcome="skipped", old=old, new=Numbers.of(run.new))
            else:
                yield self._again(run.uid, old, parts)

    def _again(self, uid: str, old: Numbers, parts: Parts) -> Outcome:
        self._numbers, self._status, self._reason = {}, None, ""
        router = Router(parts)
        try:
            for update in self._updates_of(uid):
                router.handle(update)
        except StreamLCNError as error:  # the raw run is not there, or its server is away
            self._reason = str(error)
        finally:
            router.close()
        if self._status is None:
            reason = self._reason or "the raw run holds no scan under this profile"
            return Outcome(uid=uid, outcome="failed", old=old, new=None, reason=reason)
        values = {**self._numbers, "status": self._status, "recipe_hash": self._recipe_hash}
        return Outcome(uid=uid, outcome="done", old=old, new=Numbers.of(values))
