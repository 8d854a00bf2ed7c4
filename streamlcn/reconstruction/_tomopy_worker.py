"""Runs tomopy in an interpreter of its own: ``python _tomopy_worker.py``. Knows nothing of this package.

Reads one JSON object a line from standard input and answers each with one on standard output; arrays are
.npy files that both name. What libraries print goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import numpy as np


def probe(_request: dict[str, Any]) -> dict[str, Any]:
    """Say which versions are here and whether ASTRA sees a GPU."""
    import tomopy

    answer = {"tomopy": str(getattr(tomopy, "__version__", "unknown")), "astra": None, "cuda": False}
    try:
        import astra

        answer.update(astra=str(astra.__version__), cuda=bool(astra.use_cuda()))
    except ImportError:
        pass
    return answer


def recon(request: dict[str, Any]) -> dict[str, Any]:
    """Reconstruct the rows (row, angle, column) of one file into another, (row, y, x) float32."""
    import tomopy

    rows = np.load(request["rows"])
    angles = np.asarray(request["angles_rad"], dtype=np.float64)
    options = dict(request["options"])
    if request["algorithm"] == "astra":
        algorithm = tomopy.astra
    else:
        algorithm = request["algorithm"]
        options["filter_par"] = np.asarray(options["filter_par"], dtype=np.float32)
    volume = tomopy.recon(
        rows,
        angles,
        center=request["centre"],
        sinogram_order=True,
        algorithm=algorithm,
        ncore=request["ncore"],
        **options,
    )
    np.save(request["volume"], np.ascontiguousarray(volume, dtype=np.float32))
    return {}


def main() -> None:
    """Answer requests until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"probe": probe, "recon": recon}[request["op"]](request)
        except Exception as error:  # noqa: BLE001 - told to the other side
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
