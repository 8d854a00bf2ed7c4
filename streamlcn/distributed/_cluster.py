"""The way to the scheduler. Everything that can be lost is lost as `ClusterLost`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from streamlcn.distributed._jobs import Done, GrowJob, LabelJob
from streamlcn.distributed.settings import DaskSettings
from streamlcn.ports import Clock, Telemetry
from streamlcn.shortage import announce, still_at

if TYPE_CHECKING:
    from distributed import Client, Future

__all__ = ["Cluster", "ClusterLost"]

_LOOK_S = 1.0  # time between questions for workers
_ANSWER_S = 5.0
_ROUND_S = 0.2
_AGAIN = 2  # a task that raised is tried so often again, on any worker
_LONGEST_WHY = 300


class ClusterLost(Exception):
    """The workers cannot do it; the reason is for people."""


class Cluster:
    """One scheduler and its workers, connected to while a scan needs them.

    ``telemetry`` gets what workers tell of their tasks, so that there is one exporter for all.
    """

    def __init__(self, settings: DaskSettings, telemetry: Telemetry, clock: Clock = time.monotonic) -> None:
        self.settings = settings
        self._telemetry, self._clock = telemetry, clock
        self._client: Client | None = None
        self._users = 0
        self._workers: tuple[str, ...] = ()
        self._seen_s = self._asked_s = 0.0

    def join(self) -> None:
        """See to it that there is a connection, until as many have left as joined; raises `ClusterLost`."""
        if self._client is None or self._client.status != "running":
            self._close()
            try:
                self._client = _open(self.settings)
            except (OSError, ValueError) as error:  # no scheduler, or certificates that do not fit
                address = self.settings.address
                raise ClusterLost(f"the scheduler at {address} cannot be reached ({error})") from error
            self._seen_s, self._asked_s = self._clock(), 0.0
        self._users += 1

    def leave(self) -> None:
        """Say that a scan does not need the workers any more."""
        self._users -= 1
        if self._users == 0:
            self._close()

    @property
    def workers(self) -> tuple[str, ...]:
        """Addresses of the workers there are, as seen at most a second ago."""
        return self._workers

    def look(self) -> None:
        """Look for workers, once a second; raises `ClusterLost` after too long a time without one."""
        client, now = self._client, self._clock()
        if client is None or client.status != "running":
            raise ClusterLost(f"the connection to the scheduler at {self.settings.address} broke")
        if self._asked_s and now - self._asked_s < _LOOK_S:
            return
        self._asked_s = now
        with suppress(OSError, CancelledError):  # TimeoutError is an OSError
            identity = client.sync(client.scheduler.identity, n_workers=-1, callback_timeout=_ANSWER_S)
            self._workers = tuple(sorted(identity["workers"]))
            self._telemetry.level("compute_workers", len(self._workers))
            if self._workers:
                self._seen_s = now
        if now - self._seen_s > self.settings.patience_s:
            raise ClusterLost(f"{self.settings.address} had no worker for {self.settings.patience_s:g} s")

    def submit(
        self,
        task: Callable[[Any], Done],
        job: GrowJob | LabelJob,
        key: str,
        home: str | None = None,
    ) -> Future:
        """Hand in a task; ``home`` is the worker that would be quickest, others may do it too.

        Raises `ClusterLost`.
        """
        from distributed.client import ClosedClientError

        assert self._client is not None
        try:
            return self._client.submit(
                task,
                job,
                key=key,
                workers=[home] if home else None,
                allow_other_workers=home is not None,
                retries=_AGAIN,
                resources=self.settings.resources or None,
            )
        except ClosedClientError as error:
            raise ClusterLost(f"the connection to the scheduler broke ({error})") from error

    def await_all(self, futures: Sequence[Future], stage: str) -> None:
        """Wait until all are over, one way or another; the heart of ``stage`` beats. Raises `ClusterLost`."""
        from distributed import wait

        client = self._client
        assert client is not None
        while waiting := [future for future in futures if not future.done()]:
            self.look()
            with suppress(OSError, CancelledError), client.as_current():
                wait(waiting, timeout=_ROUND_S, return_when="FIRST_COMPLETED")
            still_at(stage)

    def take(self, future: Future, stage: str) -> Done:
        """Return what became of a task that is over, and tell telemetry; raises `ClusterLost`."""
        try:
            if future.status != "finished":
                raise ClusterLost(_why(future))
            done: Done = future.result(timeout=self.settings.patience_s)
        except (OSError, CancelledError) as error:
            raise ClusterLost(f"what a task returned was lost ({error})") from error
        count = self._telemetry.count
        count("compute_tasks", stage=stage)
        count("compute_seconds", done.seconds, stage=stage)
        count("compute_bytes", done.bytes_read, direction="read")
        count("compute_bytes", done.bytes_written, direction="written")
        for shortage in done.shortages:
            announce(shortage, f"on worker {done.worker}")
        return done

    def run_everywhere(self, function: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
        """Return what ``function`` returns in each worker; raises `ClusterLost`."""
        assert self._client is not None
        try:
            found: dict[str, Any] = self._client.run(function, *arguments, on_error="return")
        except (OSError, CancelledError, ValueError) as error:
            raise ClusterLost(f"the workers do not answer ({error})") from error
        return found

    def fell_back(self) -> None:
        """Take note that this computer went on alone."""
        self._telemetry.count("compute_fallbacks")

    def _close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            with suppress(OSError, CancelledError):
                client.close(timeout=2)


def _open(settings: DaskSettings) -> Client:
    from distributed import Client, Security

    security = None
    if settings.tls is not None:
        security = Security(
            require_encryption=True,
            tls_ca_file=str(settings.tls.ca_file),
            tls_client_cert=str(settings.tls.cert_file),
            tls_client_key=str(settings.tls.key_file),
        )
    return Client(
        settings.address,
        timeout=settings.connect_s,
        security=security,
        set_as_default=False,
        name="streamlcn",
    )


def _why(future: Future) -> str:
    """Return in one line why a task has no result."""
    if future.status != "error":
        return "the scheduler forgot a task: it was restarted, or the connection to it broke"
    error = future.exception()
    text = " ".join(f"{type(error).__name__}: {error}".split())
    return f"a task failed on its workers ({text[:_LONGEST_WHY]})"
