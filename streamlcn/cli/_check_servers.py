"""Do the proxy and tiled answer, and may we do there what the daemon does?"""

from __future__ import annotations

import socket
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from streamlcn.cli._finding import Finding, Subject, amber, green, red
from streamlcn.errors import BadInput, StoreFailed

if TYPE_CHECKING:
    import httpx

__all__ = ["check_proxy", "check_tiled", "check_tiled_key", "check_tiled_root", "tiled_answer"]

_PATIENCE_S = 3.0


def check_proxy(subject: Subject) -> Finding:
    """The proxy's out side does a 0MQ handshake with a subscriber."""
    from streamlcn.documents import ZmqSource

    address, prefix = subject.profile.ingest.address, subject.profile.ingest.prefix
    try:
        where = urlsplit(address)
        if where.scheme == "tcp" and where.hostname and where.port:
            socket.create_connection((where.hostname, where.port), timeout=_PATIENCE_S).close()
        with closing(ZmqSource(address, prefix=prefix, settings=subject.profile.ingest.receive)) as source:
            if source.wait_ready(_PATIENCE_S):
                return green(f"{address} answers" + (f", prefix {prefix!r}" if prefix else ""))
    except OSError as error:
        return red(
            f"nothing listens at {address} ({error})",
            "start the proxy (bluesky-0MQ-proxy IN OUT), open its port, or correct ingest.address",
        )
    except ValueError as error:  # BadInput is one
        return red(f"{address} is no address: {error}", "set ingest.address to tcp://HOST:PORT")
    return red(
        f"what listens at {address} does not speak 0MQ to subscribers",
        "ingest.address must be the proxy's out side; its in side is where the RunEngine publishes",
    )


def tiled_answer(subject: Subject) -> httpx.Response | str:
    """Return the server's answer to a question that needs no key, or why there is none."""
    import httpx

    settings = subject.profile.store
    try:
        return httpx.get(
            f"{settings.uri.rstrip('/')}/healthz",
            timeout=min(_PATIENCE_S, settings.timeout_s),
            trust_env=False,
        )
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return f"{error or type(error).__name__}"


def check_tiled(subject: Subject) -> Finding:
    """A tiled server answers."""
    settings = subject.profile.store
    if settings.backend == "memory":
        return amber("results stay in memory and are gone with the process", "set store.backend: tiled")
    answer = tiled_answer(subject)
    if isinstance(answer, str):
        return red(
            f"no answer from {settings.uri}: {answer}",
            "start the server, or correct store.uri; until then results wait in the spool",
        )
    if not answer.is_success or "ready" not in answer.text:
        return red(
            f"{settings.uri} answers {answer.status_code}, unlike tiled",
            "correct store.uri: the address before /api/v1, as people open it in a browser",
        )
    return green(f"{settings.uri} answers")


def check_tiled_key(subject: Subject) -> Finding:
    """There is an API key and the server takes it."""
    import httpx

    from streamlcn.store import read_api_key

    settings = subject.profile.store
    if settings.backend == "memory":
        return green("not needed")
    source = f"{settings.api_key_env} or {settings.api_key_file or 'store.api_key_file'}"
    try:
        key = read_api_key(settings, subject.environ)
    except BadInput as error:
        return red(str(error), "make a key with write:data on the server (tiled api_key create)")
    try:
        answer = httpx.get(
            f"{settings.uri.rstrip('/')}/api/v1/metadata/",
            headers={"Authorization": f"Apikey {key}"},
            timeout=min(_PATIENCE_S, settings.timeout_s),
            trust_env=False,
        )
    except (httpx.HTTPError, httpx.InvalidURL):
        return red("found, but no server to try it on", "see tiled")
    if answer.status_code in (401, 403):
        return red(
            f"{settings.uri} refuses the key ({answer.status_code}: {_detail(answer)})",
            f"is it this server's, and not expired? It comes from {source}",
        )
    if not answer.is_success:
        return red(f"{settings.uri} answers {answer.status_code}: {_detail(answer)}", "see the server's log")
    return green("accepted")


def check_tiled_root(subject: Subject) -> Finding:
    """A container can be made below the root, and removed."""
    from streamlcn.store import TiledStore, read_api_key

    settings = subject.profile.store
    if settings.backend == "memory":
        return green("not needed")
    root = "/".join(("", *settings.root)) if settings.root else "/"
    try:
        with closing(TiledStore(settings, read_api_key(settings, subject.environ))) as store:
            store.probe()
    except BadInput:
        return red("no key to try it with", "see tiled key")
    except StoreFailed as error:
        return red(
            f"{root} cannot be written to: {error}",
            "the key needs the scopes create:node, write:metadata and write:data (some servers also want "
            "store.access_tags); the tree must have writable storage",
        )
    return green(f"{root}: a container was made and removed")


def _detail(answer: Any) -> str:
    try:
        return str(answer.json().get("detail"))[:200]
    except (ValueError, AttributeError):
        return str(answer.text)[:200]
