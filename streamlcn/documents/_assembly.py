"""One scan on its way: when to say that it began, that frames can be read, that it ended."""

from __future__ import annotations

from collections.abc import Iterator

from streamlcn.documents._references import KeptReferences, ReferenceSearch
from streamlcn.documents._run import Run
from streamlcn.documents._scan import bare_scan, no_pixel_size, scan_of
from streamlcn.documents.settings import DocumentSettings
from streamlcn.model import (
    Completeness,
    FrameKind,
    FrameRef,
    FramesReady,
    ReferenceReady,
    Scan,
    ScanEnded,
    ScanStarted,
    ScanUpdate,
)

__all__ = ["Assembly"]

_MOST_NOTES = 20


class Assembly:
    """Turns what a run has learned into updates. A scan's first update is ScanStarted, its last ScanEnded."""

    def __init__(
        self, run: Run, settings: DocumentSettings, kept: KeptReferences, *, patience_s: float = 0.0
    ) -> None:
        self.run = run
        self._settings = settings
        self._search = ReferenceSearch(run, settings, kept, patience_s=patience_s)
        self._scan: Scan | None = None
        self._has_reference = False
        self._reference_sizes = (0, 0)
        self._first_projection_s: float | None = None
        self._given: set[int] = set()
        self._notes: list[str] = []

    def note(self, text: str) -> None:
        """Remember a problem that does not end the scan; many are cut short."""
        if len(self._notes) < _MOST_NOTES:
            self._notes.append(text)

    def advance(self, now_s: float) -> list[ScanUpdate]:
        """Say what can be said after the last document; raises `FailedScan`."""
        self.run.choose_angles()
        if self._first_projection_s is None and len(self.run.books[FrameKind.PROJECTION]):
            self._first_projection_s = now_s
            self._search.begin_projections()
        has_ready = next(self.run.ready(), None) is not None
        if self._scan is None and (self.run.has_frame_stream or has_ready):
            self._scan = scan_of(self.run, self._settings, with_fallbacks=has_ready)
            if self._scan is not None:
                return [ScanStarted(scan=self._scan), *self._tell(now_s)]
        return [] if self._scan is None else list(self._tell(now_s))

    def finish(self, now_s: float, outcome: str, reason: str) -> list[ScanUpdate]:
        """Say the rest; raises `FailedScan`."""
        updates: list[ScanUpdate] = []
        angles = self.run.angles
        if angles is not None:
            angles.settle()
        self.run.fresh |= self.run.books[FrameKind.PROJECTION].indices()
        if self._scan is None:
            self._scan = scan_of(self.run, self._settings, with_fallbacks=True)
            if self._scan is None:
                raise no_pixel_size(self.run, self._settings)
            updates.append(ScanStarted(scan=self._scan))
        updates.extend(self._tell(now_s, is_final=True))
        problems = self._problems()
        if not self._has_reference:
            why = self._search.complaints(has_reference=False)[0]
            outcome, reason = "fail", "; ".join(part for part in (reason, why) if part)
        updates.append(self._ended(outcome, reason, problems))
        return updates

    def fail(self, reason: str) -> list[ScanUpdate]:
        """Say that the run cannot become a scan, or cannot go on as one."""
        started: list[ScanUpdate] = (
            [] if self._scan else [ScanStarted(scan=bare_scan(self.run, self._settings))]
        )
        uid = self.run.uid
        text = reason if uid in reason else f"scan {uid}: {reason}"
        return [*started, self._ended("fail", text, [text, *self._notes])]

    def linked_run(self) -> str | None:
        """Return the run whose darks and flats the scan still waits for."""
        return None if self._has_reference else self._search.linked_run()

    def missing(self) -> tuple[int, ...]:
        """Projections below the highest that came, or the plan's last, which did not come."""
        expected = self._expected() or 0
        return tuple(index for index in range(expected) if index not in self._given)

    def gaps(self) -> tuple[int, ...]:
        """Projections that did not come though a later one did."""
        known = self.run.books[FrameKind.PROJECTION].indices()
        return tuple(index for index in range(max(known, default=0)) if index not in known)

    def _tell(self, now_s: float, *, is_final: bool = False) -> Iterator[ScanUpdate]:
        yield from self._reference(now_s, is_final=is_final)
        refs = tuple(self._handed_out())
        if refs:
            yield FramesReady(scan_uid=self.run.uid, refs=refs)

    def _reference(self, now_s: float, *, is_final: bool) -> Iterator[ScanUpdate]:
        if self._has_reference:
            return
        assert self._scan is not None
        since = self._first_projection_s
        found = self._search.find(waited_s=None if since is None else now_s - since, is_final=is_final)
        if found is None and self._scan.is_line_integral and (is_final or since is not None):
            found = (), ()
        if found is not None:
            self._has_reference = True
            self._reference_sizes = len(found[0]), len(found[1])
            yield ReferenceReady(scan_uid=self.run.uid, flats=found[0], darks=found[1])
            self._search.release()

    def _handed_out(self) -> Iterator[FrameRef]:
        book, angles = self.run.books[FrameKind.PROJECTION], self.run.angles
        for index in list(self.run.ready()):
            assert angles is not None
            self._given.add(index)
            yield FrameRef(
                scan_uid=self.run.uid,
                kind=FrameKind.PROJECTION,
                index=index,
                angle_rad=angles.at(index),
                source=book.hand_out(index),
            )
        self.run.fresh = {index for index in self.run.fresh if book.is_waiting(index)}

    def _expected(self) -> int | None:
        if self.run.planned_count is not None:
            return self.run.planned_count
        angles = self.run.angles
        if angles is not None and angles.planned is not None:
            return len(angles.planned)
        known = self.run.books[FrameKind.PROJECTION].indices()
        told = [count * per for count, per in self.run.told_projections()]
        return max([*told, max(known, default=-1) + 1], default=None) or None

    def _ended(self, outcome: str, reason: str, problems: list[str]) -> ScanEnded:
        book = self.run.books[FrameKind.PROJECTION]
        completeness = Completeness(
            projections_expected=self._expected(),
            projections_received=len(self._given),
            projections_used=len(self._given),
            duplicates=book.duplicates + book.repeats,
            missing=self.missing(),
        )
        return ScanEnded(
            scan_uid=self.run.uid,
            outcome=outcome,
            reason=reason,
            completeness=completeness,
            problems=tuple(problems),
        )

    def _problems(self) -> list[str]:
        book = self.run.books[FrameKind.PROJECTION]
        texts: list[str] = []
        if not (self._scan and self._scan.is_line_integral):
            texts = self._search.complaints(has_reference=self._has_reference)
        texts += [
            f"{told - arrived} of {told} documents of stream {name!r} never came"
            for name, told, arrived in self.run.lost()
        ]
        if without := len(book) - len(self._given):
            texts.append(f"{without} projections came without an angle and cannot be used")
        if book.kept_first:
            texts.append(f"{book.kept_first} projections were taken again after the first had been used")
        for kind, used in zip((FrameKind.FLAT, FrameKind.DARK), self._reference_sizes, strict=True):
            late = len(self.run.books[kind]) - used
            if self._has_reference and used and late > 0:
                texts.append(f"{late} {kind.name.lower()}s came after the reference was made, without them")
        return [*texts, *self._notes]
