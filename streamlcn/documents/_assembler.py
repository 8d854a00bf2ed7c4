"""Documents in, updates out: a state machine without sockets, threads or a clock of its own."""

from __future__ import annotations

import os
from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from streamlcn.documents._angles import ReadValues
from streamlcn.documents._assembly import Assembly
from streamlcn.documents._facts import is_match
from streamlcn.documents._orphans import Orphan, Orphans
from streamlcn.documents._pages import singles
from streamlcn.documents._places import Places
from streamlcn.documents._references import KeptReferences, keeps_references
from streamlcn.documents._refused import reason_of, refused
from streamlcn.documents._run import Run, Tools
from streamlcn.documents._schema import NAMES, checked
from streamlcn.documents.settings import DocumentSettings
from streamlcn.errors import BadDocument, FailedScan
from streamlcn.model import FrameKind, ScanUpdate

__all__ = ["Assembler", "AssemblerState"]

_ALL = frozenset(FrameKind)
_REFERENCES = frozenset((FrameKind.FLAT, FrameKind.DARK))
_UNEXPECTED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
_ENDED_RUNS = 64  # so many ended runs are remembered, so that their late documents do not become orphans
_PARENTS: Mapping[str, tuple[str, ...]] = {
    "start": (),
    "descriptor": ("run_start",),
    "resource": ("run_start",),
    "stream_resource": ("run_start",),
    "datum": ("resource",),
    "event": ("descriptor",),
    "stream_datum": ("descriptor", "stream_resource"),
    "stop": ("run_start",),
}
_OWN_ID: Mapping[str, str] = {"descriptor": "uid", "resource": "uid", "stream_resource": "uid"}
_Id = tuple[str, str]
"""(what it identifies, uid): a resource's uid is no descriptor's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AssemblerState:
    """What the assembler has seen since it was made."""

    scans: tuple[str, ...] = ()
    documents: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    duplicates: int = 0
    late: int = 0
    ignored_runs: int = 0
    orphans: int = 0
    orphans_dropped: int = 0


@dataclass(slots=True, kw_only=True)
class _Tracked:
    """One run that is open; ``run`` is None for a run that is of no interest."""

    uid: str
    run: Run | None
    assembly: Assembly | None
    position: Any
    last_s: float
    stopped_s: float | None = None
    is_given_up: bool = False
    ids: list[_Id] = field(default_factory=list)


class Assembler:
    """Follows all runs at once, each kept to itself.

    Parameters
    ----------
    settings
        How the beamline's documents read.
    real_path
        Resolves symbolic links of the detector's files; tests may pass something simpler.
    read_values
        Reads angles that are in files (see `make_value_reader`); without it such scans fail.
    done
        Uids of runs whose results are delivered already: nothing is said of them again.
    """

    def __init__(
        self,
        settings: DocumentSettings,
        *,
        real_path: Callable[[str], str] = os.path.realpath,
        read_values: ReadValues | None = None,
        done: Collection[str] = (),
    ) -> None:
        self._settings = settings
        places = Places(settings.files, real_path)
        self._tools = Tools(settings=settings, places=places, read_values=read_values)
        self._done = frozenset(done)
        self._kept = KeptReferences(settings.references.keep_runs)
        self._orphans = Orphans(settings.orphan_count, settings.orphan_mb)
        self._open: dict[str, _Tracked] = {}
        self._owners: dict[_Id, _Tracked] = {}
        self._ended: OrderedDict[str, list[_Id]] = OrderedDict()
        self._ended_ids: set[_Id] = set()
        self._patience_s = 0.0
        self._rejected: Counter[str] = Counter()
        self._documents = self._late = self._ignored = self._duplicates = 0

    @property
    def state(self) -> AssemblerState:
        """Counts so far, and the scans under way."""
        return AssemblerState(
            scans=tuple(uid for uid, tracked in self._open.items() if tracked.assembly is not None),
            documents=self._documents,
            rejected=dict(self._rejected),
            duplicates=self._duplicates,
            late=self._late,
            ignored_runs=self._ignored,
            orphans=len(self._orphans),
            orphans_dropped=self._orphans.dropped,
        )

    @property
    def held_since(self) -> Any:
        """The position of the oldest document that is still needed, or None: where a restart must begin."""
        positions = [tracked.position for tracked in self._open.values() if tracked.run is not None]
        positions += [*self._kept.positions(), *self._orphans.positions()]
        return min((position for position in positions if position is not None), default=None)

    def be_patient(self, wait_s: float) -> None:
        """Wait so long for what somebody fetches, after the settling time and until `give_up`."""
        self._patience_s = wait_s

    def give_up(self, uid: str) -> None:
        """State that what a run lacks cannot be had from anywhere."""
        if uid in self._open:
            self._open[uid].is_given_up = True

    def open_runs(self) -> list[tuple[Run, float]]:
        """Return the runs that are open and of interest, each with the time of its last document."""
        return [(one.run, one.last_s) for one in self._open.values() if one.run is not None]

    def waiting(self) -> list[Orphan]:
        """Return the documents whose run, stream or file is not known."""
        return self._orphans.waiting()

    def has_run(self, uid: str) -> bool:
        """Whether the run is open, or ended not long ago."""
        return uid in self._open or ("run_start", uid) in self._ended_ids

    def lacks_run(self, uid: str) -> str | None:
        """Return the run of darks and flats that an open scan names and that has not ended yet."""
        tracked = self._open.get(uid)
        linked = tracked.assembly.linked_run() if tracked is not None and tracked.assembly else None
        return None if linked is None or ("run_start", linked) in self._ended_ids else linked

    def handle(
        self, name: str, document: Mapping[str, Any], now_s: float, position: Any = None
    ) -> list[ScanUpdate]:
        """Take one document; return what follows from it. Never raises for a bad one: it is counted.

        ``now_s`` is when it came, on the clock of `expire`; ``position`` is where it is in the journal.
        """
        self._documents += 1
        updates: list[ScanUpdate] = []
        try:
            if name not in NAMES:
                raise BadDocument(f"{name[:40]!r} is not the name of a document")
            checked(name, document if type(document) is dict else dict(document))
            for single_name, single in singles(name, document):
                updates += self._place(single_name, single, now_s, position)
        except BadDocument as error:
            self._reject(error)
        return updates + self._settle(now_s)

    def expire(self, now_s: float) -> list[ScanUpdate]:
        """Say what follows from time alone; call it now and then when no document comes."""
        updates = self._settle(now_s)
        idle_s = now_s - self._settings.idle_timeout_s
        for tracked in [tracked for tracked in self._open.values() if tracked.last_s < idle_s]:
            text = f"no document for {self._settings.idle_timeout_s:g} s, and no stop"
            updates += self._end(tracked, now_s, "timeout", text)
        for tracked in list(self._open.values()):
            updates += self._advance(tracked, now_s)
        self._orphans.expire(idle_s)
        return updates

    def gaps(self, scan_uid: str) -> tuple[int, ...]:
        """Return the projections of an open scan that did not come though a later one did."""
        tracked = self._open.get(scan_uid)
        return tracked.assembly.gaps() if tracked and tracked.assembly else ()

    def missing(self, scan_uid: str) -> tuple[int, ...]:
        """Return the projections of an open scan that are planned, or told of, and did not come yet."""
        tracked = self._open.get(scan_uid)
        return tracked.assembly.missing() if tracked and tracked.assembly else ()

    def _place(self, name: str, document: Mapping[str, Any], now_s: float, position: Any) -> list[ScanUpdate]:
        """Lead a document to its run, or keep it until its run, stream or file is known."""
        if name == "start":
            return self._start(document, now_s, position)
        if name not in _PARENTS:
            raise BadDocument(f"{name} documents are not used any more")
        owner: _Tracked | None = None
        for parent in _PARENTS[name]:
            uid = document.get(parent)
            if not isinstance(uid, str):
                raise BadDocument(f"a {name} document without {parent!r}")
            own_id = (parent, uid)
            if own_id in self._ended_ids:
                self._late += 1
                return []
            found = self._owners.get(own_id)
            if found is None:
                self._orphans.add(name, document, waits_for=own_id, now_s=now_s, position=position)
                return []
            if owner is not None and found is not owner:
                raise BadDocument(f"a {name} document between two runs")
            owner = found
        assert owner is not None
        return self._learn(owner, name, document, now_s, position)

    def _start(self, document: Mapping[str, Any], now_s: float, position: Any) -> list[ScanUpdate]:
        uid = document["uid"]
        if ("run_start", uid) in self._owners or ("run_start", uid) in self._ended_ids:
            self._duplicates += 1
            return []
        run, assembly = self._made(document)
        tracked = _Tracked(uid=uid, run=run, assembly=assembly, position=position, last_s=now_s)
        self._open[uid] = tracked
        if run is None:
            self._ignored += 1
        updates = self._advance(tracked, now_s)
        return updates + self._adopt(tracked, ("run_start", uid), now_s)

    def _made(self, start: Mapping[str, Any]) -> tuple[Run | None, Assembly | None]:
        runs = self._settings.runs
        if is_match(start, runs.scan):
            if start["uid"] not in self._done:
                run = Run(start, self._tools, _ALL)
                return run, Assembly(run, self._settings, self._kept, patience_s=self._patience_s)
            is_wanted = keeps_references(self._settings)
        else:
            is_wanted = runs.references is not None and is_match(start, runs.references)
        return (Run(start, self._tools, _REFERENCES) if is_wanted else None), None

    def _learn(
        self, owner: _Tracked, name: str, document: Mapping[str, Any], now_s: float, position: Any
    ) -> list[ScanUpdate]:
        owner.last_s = max(owner.last_s, now_s)
        if position is not None and (owner.position is None or position < owner.position):
            owner.position = position
        run = owner.run
        try:
            if run is not None:
                if (datum := run.lacks(name, document)) is not None:
                    waits_for = ("datum", datum)
                    self._orphans.add(name, document, waits_for=waits_for, now_s=now_s, position=position)
                    return []
                run.take(name, document)
        except BadDocument as error:
            return self._skip(owner, error)
        except FailedScan as error:
            return self._fail(owner, error)
        except _UNEXPECTED as error:
            return self._skip(owner, _unexpected(f"a {name} document", error))
        if name == "stop":
            owner.stopped_s = now_s
        updates = self._advance(owner, now_s)
        if name == "datum":
            return updates + self._claim(("datum", document["datum_id"]), now_s)
        if name in _OWN_ID:
            return updates + self._adopt(owner, (name, document[_OWN_ID[name]]), now_s)
        return updates

    def _adopt(self, owner: _Tracked, own_id: _Id, now_s: float) -> list[ScanUpdate]:
        """Note that an id is known now, and take what waited for it."""
        if owner.uid in self._open and own_id not in self._owners:
            self._owners[own_id] = owner
            owner.ids.append(own_id)
        return self._claim(own_id, now_s)

    def _claim(self, own_id: _Id, now_s: float) -> list[ScanUpdate]:
        updates: list[ScanUpdate] = []
        for orphan in self._orphans.claim(own_id):
            try:
                updates += self._place(orphan.name, orphan.document, now_s, orphan.position)
            except BadDocument as error:
                self._reject(error)
        return updates

    def _advance(self, tracked: _Tracked, now_s: float) -> list[ScanUpdate]:
        if tracked.assembly is None or tracked.uid not in self._open:
            return []
        try:
            return tracked.assembly.advance(now_s)
        except FailedScan as error:
            return self._fail(tracked, error)
        except _UNEXPECTED as error:
            return self._break_off(tracked, error)

    def _settle(self, now_s: float) -> list[ScanUpdate]:
        """End the runs that have stopped, as soon as all has come or nothing more is expected."""
        updates: list[ScanUpdate] = []
        for tracked in [tracked for tracked in self._open.values() if tracked.stopped_s is not None]:
            stopped_s, run = tracked.stopped_s or 0.0, tracked.run
            patience_s = 0.0 if tracked.is_given_up else self._patience_s
            is_whole = run is None or (run.is_whole() and not (patience_s and self.lacks_run(tracked.uid)))
            if is_whole or now_s - stopped_s >= self._settings.settle_s + patience_s:
                stop = run.stop if run is not None and run.stop else {}
                said = stop.get("reason")
                reason = said[:500] if isinstance(said, str) else ""
                updates += self._end(tracked, now_s, str(stop.get("exit_status", ""))[:40], reason)
        return updates

    def _end(self, tracked: _Tracked, now_s: float, outcome: str, reason: str) -> list[ScanUpdate]:
        updates: list[ScanUpdate] = []
        if tracked.assembly is not None:
            try:
                updates = tracked.assembly.finish(now_s, outcome, reason)
            except FailedScan as error:
                return self._fail(tracked, error)
            except _UNEXPECTED as error:
                return self._break_off(tracked, error)
        self._forget(tracked)
        return updates

    def _break_off(self, tracked: _Tracked, error: Exception) -> list[ScanUpdate]:
        """Fail one scan for what should not happen, rather than all by dying of the same journal forever."""
        said = _unexpected(f"scan {tracked.uid}", error)
        self._reject(said)
        return self._fail(tracked, FailedScan(str(said)))

    def _skip(self, owner: _Tracked, error: BadDocument) -> list[ScanUpdate]:
        self._reject(error)
        if owner.assembly is not None:
            owner.assembly.note(str(error))
        return []

    def _fail(self, tracked: _Tracked, error: FailedScan) -> list[ScanUpdate]:
        updates = tracked.assembly.fail(str(error)) if tracked.assembly is not None else []
        self._forget(tracked)
        return updates

    def _forget(self, tracked: _Tracked) -> None:
        run = tracked.run
        if run is not None:
            self._duplicates += run.copies + sum(book.duplicates for book in run.books.values())
            if keeps_references(self._settings):
                self._kept.keep(run, float(run.facts.start["time"]), tracked.position)
        del self._open[tracked.uid]
        for own_id in tracked.ids:
            self._owners.pop(own_id, None)
        self._ended[tracked.uid] = [("run_start", tracked.uid), *tracked.ids]
        self._ended_ids.update(self._ended[tracked.uid])
        while len(self._ended) > _ENDED_RUNS:
            _, oldest = self._ended.popitem(last=False)
            self._ended_ids.difference_update(oldest)

    def _reject(self, error: BadDocument) -> None:
        reason = reason_of(error)
        self._rejected["invalid" if reason == "other" else reason] += 1


def _unexpected(what: str, error: Exception) -> BadDocument:
    return refused("unexpected", f"{what} could not be understood ({type(error).__name__}: {error!s:.200})")
