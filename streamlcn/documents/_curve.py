"""Keys for a secured connection, read from files when it is opened."""

from __future__ import annotations

import stat
from pathlib import Path

import zmq
import zmq.auth

from streamlcn.documents.settings import CurveSettings
from streamlcn.errors import BadInput

__all__ = ["curve_keys"]


def curve_keys(settings: CurveSettings) -> dict[int, bytes]:
    """Return the socket options of a CURVE client.

    Raises `BadInput` for a file that cannot be read, that holds no such key, or whose secret all may read;
    what the files hold is never said.
    """
    server, _ = _certificate(settings.server_key_file, "ingest.receive.curve.server_key_file")
    own = "ingest.receive.curve.client_key_file"
    path = settings.client_key_file.expanduser()
    public, secret = _certificate(path, own)
    if secret is None:
        raise BadInput(f"{own}: {path} holds no secret key; name the file that ends in .key_secret")
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO) & ~stat.S_IRGRP:
        raise BadInput(f"{own}: others may read or write {path}; chmod 600 (or 640 for the daemon's group)")
    return {zmq.CURVE_SERVERKEY: server, zmq.CURVE_PUBLICKEY: public, zmq.CURVE_SECRETKEY: secret}


def _certificate(path: Path, key: str) -> tuple[bytes, bytes | None]:
    path = path.expanduser()
    reason = "it holds no CURVE key" if path.is_file() else "there is no such file"
    try:
        return zmq.auth.load_certificate(path)
    except PermissionError:
        reason = "this user may not read it"
    except (OSError, ValueError):  # what the parser says may hold a part of the key
        pass
    raise BadInput(f"{key}: cannot use {path}: {reason}; zmq.auth.create_certificates makes such files")
