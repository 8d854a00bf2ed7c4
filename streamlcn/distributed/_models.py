"""The network that this worker has loaded."""

from __future__ import annotations

import threading

from streamlcn.distributed._jobs import LabelJob
from streamlcn.segmentation._model import Model, load_model

__all__ = ["model_of"]

_lock = threading.Lock()
_loaded: dict[tuple[str, str, str], Model] = {}


def model_of(job: LabelJob) -> Model:
    """Return the model of a job; the last one that was asked for stays loaded, whatever its folder."""
    key = (job.sha256, job.device, job.precision)
    with _lock:
        if key not in _loaded:
            _loaded.clear()
            _loaded[key] = load_model(
                job.bundle, device=job.device, sha256=job.sha256, precision=job.precision
            )
        return _loaded[key]
