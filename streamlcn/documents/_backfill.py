"""Documents that were lost on the way are had again, from the detector's files and from tiled.

All that is had again is handed to the assembler like any other document, so there is one way in; the
assembler itself does no input or output.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import structlog

from streamlcn.documents._assembler import Assembler
from streamlcn.documents._file_places import Named, Times, file_documents
from streamlcn.documents._lost import Lost, lost_of
from streamlcn.documents._orphans import Orphan
from streamlcn.documents._places import Places
from streamlcn.documents._placing import Slot
from streamlcn.documents._raw_documents import (
    descriptor_documents,
    event_documents,
    event_times,
    resource_documents,
)
from streamlcn.documents._raw_runs import RawRun, RawRuns, RawUnreachable
from streamlcn.documents._run import Run
from streamlcn.documents._value_reader import length_of
from streamlcn.documents.settings import DocumentSettings
from streamlcn.errors import BadInput, FailedScan
from streamlcn.keys import key_from
from streamlcn.model import ScanUpdate

__all__ = ["Backfill", "BackfillState", "make_backfill"]

_log = structlog.get_logger(__name__)

_LOOK_S = 0.5
_QUIET_S = 10.0  # a run that says nothing for so long may have lost its stop document
_NEWEST_RUNS = 10  # among so many runs the one is looked for of which only a descriptor's uid is known
_MOST_ROUNDS = 6
_MOST_BYTES = 256 * 2**20  # of pixels in one step
_LONGEST_RETRY_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillState:
    """How many documents were had again, by source ('file', 'tiled'), and why tiled did not answer last.

    ``sought``: frames and events that are lacking now; ``given_up``: those that runs ended without.
    """

    documents: Mapping[str, int] = field(default_factory=dict)
    sought: int = 0
    given_up: int = 0
    unreachable: str | None = None


@dataclass(slots=True)
class _Watch:
    """What one run lacked when it was looked at, since when, and when tiled may be asked again.

    ``sought``: how much it lacks now of what is overdue; ``was_due``: whether anything ever was.
    """

    run: Run
    sought: int = 0
    was_due: bool = False
    since: dict[tuple[str, str, int], float] = field(default_factory=dict)
    again_s: float = float("-inf")
    tries: int = 0

    def asked(self, now_s: float, retry_s: float, *, is_progress: bool) -> None:
        """Ask again at once after success, else later and later."""
        self.tries = 0 if is_progress else self.tries + 1
        self.again_s = now_s + (
            0.0 if is_progress else min(retry_s * 2 ** (self.tries - 1), _LONGEST_RETRY_S)
        )


class Backfill:
    """Fills the gaps of an assembler's runs.

    Parameters
    ----------
    assembler
        From now on it waits with the end of a run that lacks documents, for ``backfill.wait_s`` at most.
    raw_runs
        The raw runs in tiled, None where there are none.
    """

    def __init__(self, assembler: Assembler, settings: DocumentSettings, raw_runs: RawRuns | None) -> None:
        self._assembler, self._settings, self._raw = assembler, settings, raw_runs
        self._places = Places(settings.files)
        self._watches: dict[str, _Watch] = {}
        self._searched: dict[str, float] = {}
        self._fetched: set[str] = set()  # runs whose start came from tiled; the rest is there, too
        self._looked_s = float("-inf")
        self._documents: Counter[str] = Counter()
        self._unreachable: str | None = None
        self._given_up = 0
        assembler.be_patient(settings.backfill.wait_s)

    @property
    def state(self) -> BackfillState:
        """How it is doing."""
        return BackfillState(
            documents=dict(self._documents),
            sought=sum(watch.sought for watch in self._watches.values()),
            given_up=self._given_up,
            unreachable=self._unreachable,
        )

    def step(self, now_s: float) -> list[ScanUpdate]:
        """Look for gaps, fill what can be filled, return the updates that follow.

        Call it before each `Assembler.handle` and `Assembler.expire`, with the same ``now_s``: these may end
        a run for which there is no more time. It looks twice in a second at most and is cheap where nothing
        is lost; where something is, it may wait for tiled, a request at a time. Never raises for what tiled
        or a file answers.
        """
        if 0 <= now_s - self._looked_s < _LOOK_S:
            return []
        self._looked_s = now_s
        orphans = self._old_orphans(now_s)
        updates = self._find_runs(orphans, now_s)
        has_orphans = any(orphan.waits_for[0] != "run_start" for orphan in orphans)
        runs = self._assembler.open_runs()
        for run, last_s in runs:
            updates += self._look_after(run, last_s, now_s, has_orphans=has_orphans)
        uids = {run.uid for run, _ in self._assembler.open_runs()}
        ended = [watch.run for uid, watch in self._watches.items() if watch.was_due and uid not in uids]
        self._given_up += sum(_count(lost_of(run, self._settings)) for run in ended)
        self._watches = {uid: watch for uid, watch in self._watches.items() if uid in uids}
        self._fetched &= uids
        return updates

    def fetch(self, uid: str, now_s: float) -> list[ScanUpdate]:
        """Begin a run of which no document came; `step` gets the rest.

        Raises `RawUnreachable` when tiled does not answer, `BadInput` when it has no such run.
        """
        raw = None if self._raw is None else self._raw.run(uid)
        if raw is None:
            raise BadInput(f"there is no raw run {uid} at {self._settings.backfill.uri}")
        return self._start(raw, now_s)

    def close(self) -> None:
        """Close the connections to tiled; may be called twice."""
        if self._raw is not None:
            self._raw.close()

    def _look_after(self, run: Run, last_s: float, now_s: float, *, has_orphans: bool) -> list[ScanUpdate]:
        watch = self._watches.setdefault(run.uid, _Watch(run))
        items = [item for one in lost_of(run, self._settings) for item in one.items()]
        watch.since = {item: watch.since.get(item, min(last_s, now_s)) for item in items}
        is_due = any(now_s - since_s >= self._settings.settle_s for since_s in watch.since.values())
        watch.was_due |= is_due
        watch.sought = len(items) if is_due else 0
        is_silent = run.stop is None and (now_s - last_s >= _QUIET_S or run.uid in self._fetched)
        linked = self._assembler.lacks_run(run.uid)
        if not (is_due or is_silent or has_orphans or linked):
            return []
        updates = self._from_files(run, None, now_s) if is_due else []
        if self._raw is None:
            if (is_due or linked) and run.stop is not None:
                self._assembler.give_up(run.uid)
        elif now_s >= watch.again_s and not self._is_over(run):
            before = self._documents.total()
            if linked and not self._assembler.has_run(linked):
                updates += self._start(self._asked(linked), now_s)
            updates += self._from_tiled(run, now_s, is_silent=is_silent)
            is_progress = self._documents.total() > before
            watch.asked(now_s, self._settings.backfill.retry_s, is_progress=is_progress)
        return updates

    def _from_tiled(self, run: Run, now_s: float, *, is_silent: bool) -> list[ScanUpdate]:
        assert self._raw is not None
        raw = self._asked(run.uid)
        if raw is None:
            return []
        before = self._documents.total()
        updates = self._learn(run, raw, now_s, is_silent=is_silent)
        if not self._is_over(run):
            lost = lost_of(run, self._settings)
            documents = event_documents(self._raw, raw, run, lost, self._settings)
            updates += self._hand_over(documents, "tiled", now_s)
        if not self._is_over(run):
            updates += self._from_files(run, raw, now_s)
        is_progress = self._documents.total() > before or self._unreachable is not None
        is_waiting = self._assembler.lacks_run(run.uid) is not None
        if raw.stop is not None and run.stop is not None and not is_progress and not is_waiting:
            self._assembler.give_up(run.uid)
        return updates

    def _asked(self, uid: str) -> RawRun | None:
        assert self._raw is not None
        try:
            raw = self._raw.run(uid)
        except RawUnreachable as error:
            self._complain(error)
            return None
        self._unreachable = None
        return raw

    def _learn(self, run: Run, raw: RawRun, now_s: float, *, is_silent: bool) -> list[ScanUpdate]:
        """Take the stop document, descriptors and files; what waited for them goes in with them."""
        updates: list[ScanUpdate] = []
        if run.stop is None and raw.stop is not None and is_silent:
            updates += self._hand_over([("stop", raw.stop)], "tiled", now_s)
        if not self._is_over(run):
            orphaned = {one.waits_for[1] for one in self._assembler.waiting()}
            documents = list(descriptor_documents(raw, run, orphaned))
            updates += self._hand_over(documents, "tiled", now_s)
        if not self._is_over(run):
            orphans = self._assembler.waiting()
            documents = list(resource_documents(raw, run, orphans, self._settings))
            updates += self._hand_over(documents, "tiled", now_s)
        return updates

    def _from_files(self, run: Run, raw: RawRun | None, now_s: float) -> list[ScanUpdate]:
        if not self._settings.backfill.from_files:
            return []
        updates: list[ScanUpdate] = []
        times: Times = {}
        try:
            times = event_times(self._raw, raw, run) if self._raw and raw else {}
        except RawUnreachable as error:
            self._complain(error)
        for _ in range(_MOST_ROUNDS):  # what a first round has placed may make room certain for a second
            lost = lost_of(run, self._settings)
            waiting = self._events_waiting(run)
            documents = list(file_documents(run, lost, raw, times, waiting, self._length))
            if not documents:
                break
            updates += self._hand_over(documents, "file", now_s)
            if self._is_over(run) or _count(lost) == _count(lost_of(run, self._settings)):
                break
        return updates

    def _find_runs(self, orphans: list[Orphan], now_s: float) -> list[ScanUpdate]:
        """Get the start documents of runs that are known by what waits for them only."""
        updates: list[ScanUpdate] = []
        if self._raw is None:
            return updates
        self._searched = {uid: again_s for uid, again_s in self._searched.items() if now_s < again_s}
        for kind, uid in dict.fromkeys(orphan.waits_for for orphan in orphans):
            is_lost = kind == "run_start" or (kind == "descriptor" and not self._is_here(uid))
            if not is_lost or uid in self._searched:
                continue
            self._searched[uid] = now_s + _LONGEST_RETRY_S / 3
            raw = self._asked(uid) if kind == "run_start" else self._with_descriptor(uid)
            updates += self._start(raw, now_s)
        return updates

    def _start(self, raw: RawRun | None, now_s: float) -> list[ScanUpdate]:
        if raw is None or self._assembler.has_run(str(raw.start.get("uid"))):
            return []
        self._fetched.add(str(raw.start["uid"]))
        return self._hand_over([("start", raw.start)], "tiled", now_s)

    def _with_descriptor(self, uid: str) -> RawRun | None:
        assert self._raw is not None
        try:
            newest = self._raw.newest(_NEWEST_RUNS)
        except RawUnreachable as error:
            self._complain(error)
            return None
        raws = (self._asked(run) for run in newest if not self._assembler.has_run(run))
        return next((raw for raw in raws if raw is not None and uid in raw.uids()), None)

    def _is_here(self, descriptor: str) -> bool:
        return any(descriptor in run.streams for run, _ in self._assembler.open_runs())

    def _hand_over(self, documents: Iterable[Named], source: str, now_s: float) -> list[ScanUpdate]:
        """Hand documents to the assembler, as many as fit into memory; the next step goes on."""
        updates: list[ScanUpdate] = []
        count = size = 0
        try:
            for name, document in documents:
                updates += self._assembler.handle(name, dict(document), now_s)
                count += 1
                size += sum(getattr(value, "nbytes", 0) for value in document.get("data", {}).values())
                if size > _MOST_BYTES:
                    break
        except RawUnreachable as error:
            self._complain(error)
        self._documents[source] += count
        if count:
            _log.info("documents_backfilled", source=source, count=count)
        return updates

    def _old_orphans(self, now_s: float) -> list[Orphan]:
        before_s = now_s - self._settings.settle_s
        return [orphan for orphan in self._assembler.waiting() if orphan.came_s <= before_s]

    def _events_waiting(self, run: Run) -> dict[Slot, str]:
        """Return the events of a run that wait for their datum: slot: datum id."""
        found: dict[Slot, str] = {}
        for orphan in self._assembler.waiting():
            kind, datum_id = orphan.waits_for
            stream = run.streams.get(str(orphan.document.get("descriptor")))
            if kind == "datum" and stream is not None:
                found[stream.name, orphan.document["seq_num"]] = datum_id
        return found

    def _is_over(self, run: Run) -> bool:
        return not any(one is run for one, _ in self._assembler.open_runs())

    def _length(self, path: str, dataset: str) -> int | None:
        try:
            return length_of(self._places.local(path), dataset)
        except FailedScan:
            return None

    def _complain(self, error: RawUnreachable) -> None:
        if self._unreachable is None:
            _log.warning("raw_runs_unreachable", reason=str(error))
        self._unreachable = str(error)


def make_backfill(
    assembler: Assembler, settings: DocumentSettings, *, environ: Mapping[str, str]
) -> Backfill:
    """Return what fills the gaps of ``assembler`` as ``settings.backfill`` says. Tiled need not be there yet.

    Raises `BadInput` for a key file that cannot be read.
    """
    chosen = settings.backfill
    if chosen.uri is None:
        return Backfill(assembler, settings, None)
    key = key_from(environ, chosen.api_key_env, chosen.api_key_file, "documents.backfill.api_key_file")
    raw_runs = RawRuns(chosen.uri, key, timeout_s=chosen.timeout_s)
    return Backfill(assembler, settings, raw_runs)


def _count(lost: list[Lost]) -> int:
    return sum(1 for one in lost for _ in one.items())
