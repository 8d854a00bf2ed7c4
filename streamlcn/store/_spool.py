"""Results survive a server that is away: each is on this disk first, and delivered later if need be."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy.typing as npt
import structlog

from streamlcn.errors import BadInput, StoreFailed
from streamlcn.model import Scan
from streamlcn.ports import Clock, ResultStore, ScanResult
from streamlcn.store._refused import ResultRefused
from streamlcn.store._spool_file import PARTIAL, SpoolFile, identity_of, play_into, read_opening

__all__ = ["SpoolStore"]

_REFUSED = ".refused"

_log = structlog.get_logger(__name__)


class SpoolStore:
    """Stands before another store; nothing fails because that one does.

    What is written goes to a folder in ``directory`` and to the inner store; that folder goes when the inner
    store has committed. When the inner store fails, at the opening or midway, the folder stays and `deliver`
    brings it over later. For one thread, and one process per directory.
    """

    def __init__(
        self,
        inner: ResultStore,
        directory: str | Path,
        *,
        retry_s: float = 15.0,
        clock: Clock = time.monotonic,
    ) -> None:
        self._inner, self._directory = inner, Path(directory)
        self._retry_s, self._clock = retry_s, clock
        self._away_until: float | None = None
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(
                f"the spool {self._directory} cannot be made ({error}): "
                "give store.spool_dir a folder to write in"
            ) from error
        for left_over in self._directory.glob(f"*{PARTIAL}"):  # by a process that died
            shutil.rmtree(left_over)

    @property
    def spooled(self) -> int:
        """How many results wait to be delivered."""
        return len(self._waiting())

    @property
    def spooled_bytes(self) -> int:
        """How much room they take."""
        sizes = 0
        for path in self._waiting():
            with suppress(OSError):  # delivered by now
                sizes += sum(file.stat().st_size for file in path.iterdir())
        return sizes

    @property
    def is_away(self) -> bool:
        """Whether the inner store failed when it was last tried."""
        return self._away_until is not None

    def open(self, scan: Scan, recipe_hash: str, metadata: Mapping[str, Any]) -> ScanResult:
        """Open a result here and, unless it is known to be away, in the inner store."""
        file = self._new_file(scan, recipe_hash, metadata)
        inner = None
        if not self._rests():
            try:
                inner = self.guarded(lambda: self._inner.open(scan, recipe_hash, metadata))
            except ResultRefused as error:
                _log.error("result_refused", raw_uid=scan.uid, reason=str(error))
        if file is None and inner is None:
            raise StoreFailed(
                f"scan {scan.uid}: the store is away and the spool {self._directory} cannot be written: "
                "make room there, or give it to this user"
            )
        return _SpooledResult(self, file, inner, (scan.uid, recipe_hash))

    def deliver(self) -> int:
        """Bring waiting results over, oldest first, until one fails; return how many were delivered.

        Does nothing within ``retry_s`` of a failure. Call it between scans and while idle. A folder that
        cannot be read, or that the inner store will never take, is set aside as ``.refused``.
        """
        delivered = 0
        while (waiting := self._waiting()) and not self._rests():
            path = waiting[0]
            try:
                if self.guarded(lambda path=path: self._bring_over(path)) is None:  # type: ignore[misc]
                    break
            except (ResultRefused, OSError, KeyError, ValueError) as error:
                # One bad file must not hold up those behind it.
                path.rename(path.with_name(f"{path.name}{_REFUSED}"))
                _log.error("result_refused", file=path.name, reason=str(error))
                continue
            shutil.rmtree(path)
            delivered += 1
            _log.info("result_delivered", file=path.name, still_waiting=len(waiting) - 1)
        return delivered

    def close(self) -> None:
        """Close the inner store; waiting results stay for the next process."""
        self._inner.close()

    def guarded(self, act: Callable[[], Any]) -> Any:
        """Return what ``act`` returns, or None when the inner store fails in it."""
        try:
            result = act()
        except ResultRefused:
            raise
        except StoreFailed as error:
            self._away_until = self._clock() + self._retry_s
            _log.warning("store_away", reason=str(error), retry_in_s=self._retry_s)
            return None
        self._away_until = None
        return result

    def forget(self, identity: tuple[str, str]) -> None:
        """Remove waiting results that a newer one of the same scan and recipe has overtaken."""
        for path in self._waiting():
            if _identity_or_none(path) == identity:
                shutil.rmtree(path)

    def _bring_over(self, path: Path) -> bool:
        with self._inner.open(*read_opening(path)) as result:
            play_into(path, result)
        return True

    def _rests(self) -> bool:
        return self._away_until is not None and self._clock() < self._away_until

    def _waiting(self) -> list[Path]:
        try:
            named = [path for path in self._directory.iterdir() if path.name[:8].isdigit()]
        except OSError:
            return []
        return sorted(path for path in named if path.suffix not in (PARTIAL, _REFUSED))

    def _new_file(self, scan: Scan, recipe_hash: str, metadata: Mapping[str, Any]) -> SpoolFile | None:
        try:
            return SpoolFile(self._next_path(scan.uid, recipe_hash), scan, recipe_hash, metadata)
        except OSError as error:
            _log.error("spool_failed", raw_uid=scan.uid, reason=str(error))
            return None

    def _next_path(self, uid: str, recipe_hash: str) -> Path:
        taken = [int(path.name[:8]) for path in self._directory.iterdir() if path.name[:8].isdigit()]
        name = "".join(c if c.isalnum() or c in "-_" else "_" for c in f"{uid[:40]}-{recipe_hash}")
        return self._directory / f"{max(taken, default=0) + 1:08d}-{name}"


def _identity_or_none(path: Path) -> tuple[str, str] | None:
    """Return whose result a folder holds, None if it cannot be read: `deliver` will set it aside."""
    try:
        return identity_of(path)
    except (OSError, ValueError, KeyError):
        return None


class _SpooledResult:
    """Writes twice; the inner result is let go at its first failure."""

    def __init__(
        self,
        store: SpoolStore,
        file: SpoolFile | None,
        inner: ScanResult | None,
        identity: tuple[str, str],
    ) -> None:
        self._store, self._inner, self._identity = store, inner, identity
        self._file = file
        self._is_over = False

    @property
    def uri(self) -> str | None:
        """Where the inner store keeps it; None while only the spool has it."""
        return None if self._inner is None else self._inner.uri

    def __enter__(self) -> _SpooledResult:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._is_over:
            return
        if self._file is not None:
            self._file.discard()
        inner = self._inner
        if inner is not None:
            self._store.guarded(lambda: inner.__exit__(*exc))

    def create_array(
        self, key: str, shape: tuple[int, ...], dtype: npt.DTypeLike, metadata: Mapping[str, Any]
    ) -> None:
        """Announce an array."""
        self._on_disk(lambda file: file.create_array(key, shape, dtype, metadata))
        self._also(lambda inner: inner.create_array(key, shape, dtype, metadata))

    def write_array(self, key: str, z_start: int, block: npt.NDArray[Any]) -> None:
        """Write a block."""
        self._on_disk(lambda file: file.write_array(key, z_start, block))
        self._also(lambda inner: inner.write_array(key, z_start, block))

    def write_table(self, key: str, columns: Mapping[str, npt.NDArray[Any]]) -> None:
        """Write a table whole."""
        self._on_disk(lambda file: file.write_table(key, columns))
        self._also(lambda inner: inner.write_table(key, columns))

    def update(self, metadata: Mapping[str, Any]) -> None:
        """Merge metadata."""
        self._on_disk(lambda file: file.update(metadata))
        self._also(lambda inner: inner.update(metadata))

    def commit(self, status: str, metadata: Mapping[str, Any]) -> None:
        """Say success: durable here at once, and there if the inner store is there."""
        self._on_disk(lambda file: file.require_whole())
        self._on_disk(lambda file: file.finish(status, metadata))
        self._conclude(lambda inner: inner.commit(status, metadata))

    def fail(self, reason: str, metadata: Mapping[str, Any]) -> None:
        """Say failure and its reason; delivered as a success would be."""
        self._on_disk(lambda file: file.finish("failed", {**metadata, "reason": reason}))
        self._conclude(lambda inner: inner.fail(reason, metadata))

    def _conclude(self, act: Callable[[ScanResult], None]) -> None:
        self._also(act)
        self._is_over = True
        if self._inner is None:
            _log.warning("result_spooled", raw_uid=self._identity[0], recipe_hash=self._identity[1])
        else:
            self._store.forget(self._identity)

    def _also(self, act: Callable[[ScanResult], None]) -> None:
        inner = self._inner
        if inner is None:
            return

        def attempt() -> bool:
            act(inner)
            return True

        try:
            if self._store.guarded(attempt) is None:
                self._inner = None
        except ResultRefused as error:
            _log.error("result_refused", raw_uid=self._identity[0], reason=str(error))
            self._inner = None
        if self._inner is None and self._file is None:
            raise StoreFailed(
                f"scan {self._identity[0]}: neither the spool nor the store can take its result"
            )

    def _on_disk(self, act: Callable[[SpoolFile], None]) -> None:
        """Write to the spool; when its disk fails, go on without it as long as the inner store takes all."""
        file = self._file
        if file is None:
            return
        try:
            act(file)
        except (OSError, RuntimeError) as error:
            if isinstance(error, StoreFailed):
                raise
            _log.error("spool_failed", raw_uid=self._identity[0], reason=str(error))
            self._file = None
            file.discard()
            if self._inner is None:
                raise StoreFailed(
                    f"scan {self._identity[0]}: the store is away and the spool cannot be written ({error}): "
                    f"make room in {file.path.parent}"
                ) from error
