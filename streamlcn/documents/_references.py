"""Which flats and darks go with a scan, and whether they are all there."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from streamlcn.documents._run import Run
from streamlcn.documents._scan import counted
from streamlcn.documents.settings import DocumentSettings
from streamlcn.model import FrameKind, FrameRef

__all__ = ["KeptReferences", "ReferenceSearch", "keeps_references"]

_KINDS = (FrameKind.FLAT, FrameKind.DARK)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    frames: Mapping[FrameKind, tuple[FrameRef, ...]]
    started_s: float
    position: Any


class KeptReferences:
    """Flats and darks of the last runs that had any, for scans that take none themselves."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def keep(self, run: Run, started_s: float, position: Any) -> None:
        """Remember the frames of an ended run; the run that was kept longest is forgotten."""
        frames = {kind: run.books[kind].refs(run.uid) for kind in _KINDS}
        if any(frames.values()):
            self._kept[run.uid] = _Kept(frames=frames, started_s=started_s, position=position)
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)

    def of(self, uid: str, kind: FrameKind) -> tuple[FrameRef, ...]:
        """Return the frames of a run, none when it is not known."""
        kept = self._kept.get(uid)
        return kept.frames[kind] if kept else ()

    def last_before(self, started_s: float, kind: FrameKind) -> tuple[FrameRef, ...]:
        """Return the frames of the run that began last before ``started_s`` and has any of ``kind``."""
        earlier = [kept for kept in self._kept.values() if kept.started_s <= started_s and kept.frames[kind]]
        return max(earlier, key=lambda kept: kept.started_s).frames[kind] if earlier else ()

    def positions(self) -> list[Any]:
        """Where the documents of the runs begin."""
        return [kept.position for kept in self._kept.values() if kept.position is not None]


def keeps_references(settings: DocumentSettings) -> bool:
    """Whether flats and darks of one run may be wanted by another."""
    return not {"linked", "previous"}.isdisjoint(settings.references.sources)


class ReferenceSearch:
    """Looks for the reference of one scan.

    ``patience_s`` is how long somebody may take to fetch flats and darks that were lost.
    """

    def __init__(
        self, run: Run, settings: DocumentSettings, kept: KeptReferences, *, patience_s: float
    ) -> None:
        self._run = run
        self._settings = settings.references
        self._streams = settings.streams
        self._kept = kept
        self._started_s = float(run.facts.start["time"])
        self._wait_s = max(settings.references.wait_s, patience_s)
        self._before = dict.fromkeys(_KINDS, 0)
        self._is_kept = keeps_references(settings)
        values = settings.values
        self._planned = {
            FrameKind.FLAT: lambda: counted(run, values.flat_count),
            FrameKind.DARK: lambda: counted(run, values.dark_count),
        }

    def begin_projections(self) -> None:
        """State that the first projection has come: flats and darks 'before' are those that came till now."""
        self._before = {kind: len(self._run.books[kind]) for kind in _KINDS}

    def release(self) -> None:
        """Let go of the run's own flats and darks, unless they are kept for later runs."""
        if not self._is_kept:
            for kind in _KINDS:
                self._run.books[kind].release()

    def linked_run(self) -> str | None:
        """Return the run of darks and flats that the scan names and nobody knows yet, where it needs it."""
        uid = self._run.facts.find(self._settings.uid_path)
        if "linked" not in self._settings.sources or not isinstance(uid, str):
            return None
        return None if any(self._kept.of(uid, kind) for kind in _KINDS) else uid

    def find(
        self, *, waited_s: float | None, is_final: bool
    ) -> tuple[tuple[FrameRef, ...], tuple[FrameRef, ...]] | None:
        """Return (flats, darks) when both are there.

        ``waited_s`` is the time since the first projection, None before it.
        """
        flats = self._of(FrameKind.FLAT, waited_s, is_final=is_final)
        darks = self._of(FrameKind.DARK, waited_s, is_final=is_final)
        return (flats, darks) if flats and darks else None

    def complaints(self, *, has_reference: bool) -> list[str]:
        """Say what is missing, when the scan has ended."""
        texts = []
        for kind, names in ((FrameKind.FLAT, self._streams.flat), (FrameKind.DARK, self._streams.dark)):
            word, found = kind.name.lower(), len(self._run.books[kind])
            planned = self._planned[kind]()
            if not has_reference and not self._of(kind, None, is_final=True):
                texts.append(
                    f"scan {self._run.uid} has no {word}s: none came in {self._places(names)}; take them, or "
                    "tell the profile where they are (documents.streams, documents.references)"
                )
            elif found and planned is not None and found < planned:
                texts.append(f"only {found} of {planned} {word}s came")
        return texts

    def _of(self, kind: FrameKind, waited_s: float | None, *, is_final: bool) -> tuple[FrameRef, ...]:
        for source in self._settings.sources:
            match source:
                case "same_run":
                    is_enough = is_final or self._is_enough(kind, waited_s)
                    found = self._run.books[kind].refs(self._run.uid) if is_enough else ()
                case "linked":
                    uid = self._run.facts.find(self._settings.uid_path)
                    found = self._kept.of(uid, kind) if isinstance(uid, str) else ()
                case "previous":
                    found = self._kept.last_before(self._started_s, kind)
            if found:
                return found
        return ()

    def _is_enough(self, kind: FrameKind, waited_s: float | None) -> bool:
        planned, found = self._planned[kind](), len(self._run.books[kind])
        if planned and found >= planned:
            return True
        if self._settings.flats != "before" or not self._before[kind]:
            return False
        is_whole = not planned and not self._run.books[kind].has_gaps()
        return is_whole or (waited_s or 0.0) > self._wait_s

    def _places(self, names: tuple[str, ...]) -> str:
        places = {
            "same_run": f"streams {', '.join(names) or '(none named)'}",
            "linked": f"run {self._run.facts.find(self._settings.uid_path)!s} ({self._settings.uid_path})",
            "previous": "a run before",
        }
        return " or ".join(places[source] for source in self._settings.sources)
