"""Many scans, each kept to itself."""

from __future__ import annotations

from contextlib import suppress

import structlog
from structlog.contextvars import bound_contextvars

from streamlcn.errors import FailedScan, StoreFailed, StreamLCNError
from streamlcn.model import FramesReady, ReferenceReady, Scan, ScanEnded, ScanStarted, ScanUpdate
from streamlcn.pipeline._parts import Parts
from streamlcn.pipeline._scan_run import ScanRun
from streamlcn.shortage import hearing

__all__ = ["Router"]

_log = structlog.get_logger(__name__)

_NO_MEMORY = (
    "scan {uid}: this computer has too little memory for it ({error}): crop or bin it "
    "(reconstruction.correction) or add memory, and process it again with streamlcn replay"
)


class Router:
    """Leads each update to its scan. A scan that fails is closed as failed; its neighbours never notice.

    Anything that is neither a `StreamLCNError` nor a want of memory is a bug and is let through: the process
    dies and is restarted.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._runs: dict[str, ScanRun] = {}

    @property
    def active(self) -> tuple[str, ...]:
        """Uids of the scans under way, oldest first."""
        return tuple(self._runs)

    def handle(self, update: ScanUpdate, arrived_s: float | None = None) -> None:
        """Process one update to its end; ``arrived_s`` is when its document came, on the parts' clock."""
        uid = update.scan.uid if isinstance(update, ScanStarted) else update.scan_uid
        with bound_contextvars(scan_uid=uid):  # each line of the log says so
            self._handle(update, arrived_s)

    def _handle(self, update: ScanUpdate, arrived_s: float | None) -> None:
        if isinstance(update, ScanStarted):
            self._start(update.scan)
            return
        run = self._runs.get(update.scan_uid)
        if run is None:
            if isinstance(update, FramesReady):
                self._parts.telemetry.count("frames_dropped", len(update.refs))
            return
        try:
            with hearing(run.ran_short, self._parts.telemetry.beat):
                self._lead(run, update, arrived_s)
        except StreamLCNError as error:
            self._fail(run, error)
        except MemoryError as error:
            self._fail(run, FailedScan(_NO_MEMORY.format(uid=update.scan_uid, error=error)))
        if isinstance(update, ScanEnded):
            self._runs.pop(update.scan_uid, None)
            self._parts.telemetry.level("scan_active", len(self._runs))

    def close(self) -> None:
        """Drop the scans under way; their results are marked as not finished."""
        while self._runs:
            _, run = self._runs.popitem()
            with suppress(StoreFailed):
                run.close()

    def _start(self, scan: Scan) -> None:
        try:
            self._runs[scan.uid] = ScanRun(scan, self._parts)
        except StreamLCNError as error:
            _log.error("scan_refused", scan_uid=scan.uid, reason=str(error))
            self._parts.emit(
                {
                    "event": "warning",
                    "level": "error",
                    "text": str(error),
                    "runbook": "store",
                    "uid": scan.uid,
                }
            )
            self._parts.telemetry.count("scans", outcome="failed")
        self._parts.telemetry.level("scan_active", len(self._runs))

    def _lead(
        self, run: ScanRun, update: FramesReady | ReferenceReady | ScanEnded, arrived_s: float | None
    ) -> None:
        match update:
            case FramesReady():
                run.take_frames(update, arrived_s)
            case ReferenceReady():
                run.take_reference(update)
            case ScanEnded():
                run.finish(update)
                run.close()

    def _fail(self, run: ScanRun, error: StreamLCNError) -> None:
        _log.error("scan_failed", scan_uid=run.scan.uid, reason=str(error), family=type(error).__name__)
        self._parts.telemetry.count("scans", outcome="failed")
        self._runs.pop(run.scan.uid, None)
        with suppress(StoreFailed):
            run.fail(str(error))
        with suppress(StoreFailed):
            run.close()
