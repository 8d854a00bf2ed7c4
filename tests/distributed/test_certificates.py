"""A scheduler that speaks TLS works with those who have its certificates, and with nobody else."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from streamlcn.shortage import Shortage, hearing
from tests.distributed.far_scans import COUNT, FarScans, local_volume, rules, volume_of
from tests.distributed.processes import DaskProcesses

RULES = rules(centre={"value": 20.2})


def certificate(folder: Path, name: str) -> dict[str, Path]:
    """Make a certificate that signs itself; return the files as a profile names them."""
    key, cert = folder / f"{name}.key", folder / f"{name}.pem"
    subject = ["-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject]
    subprocess.run([*command, "-keyout", key, "-out", cert], check=True, capture_output=True)
    return {"ca_file": cert, "cert_file": cert, "key_file": key}


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_only_who_has_the_certificates_gets_in(tmp_path: Path) -> None:
    ours, others = certificate(tmp_path, "ours"), certificate(tmp_path, "others")
    with closing(DaskProcesses(tmp_path, tls=ours)) as dask:
        assert dask.address.startswith("tls://")
        dask.have(1)
        with FarScans(dask.address, tmp_path / "shared", tls=ours).start(RULES) as session:
            assert np.array_equal(volume_of(session, range(COUNT)), local_volume(RULES, range(COUNT)))
            assert session.description == f"fbp on dask at {dask.address}"
        for tls in (others, None):
            told: list[Shortage] = []
            far = FarScans(dask.address, tmp_path / "shared", tls=tls, connect_s=2)
            with hearing(told.append), far.start(RULES) as session:
                assert session.description == "fbp on cpu"
            assert len(told) == 1
