"""Are the workers there, and do they see what we see?"""

from __future__ import annotations

import secrets
from importlib.util import find_spec

from streamlcn.cli._finding import Finding, Subject, amber, green, red
from streamlcn.distributed import Cluster, ClusterLost, DaskSettings
from streamlcn.telemetry import NullTelemetry

__all__ = ["check_workers"]


def check_workers(subject: Subject) -> Finding:
    """The scheduler answers, has workers, and each of them reads the shared folder with our versions."""
    compute = subject.profile.compute
    if not isinstance(compute, DaskSettings):
        return green("none asked for, this computer does it all")
    if find_spec("distributed") is None:
        return red("dask is not installed", "pip install 'streamlcn[distributed]'")
    try:
        return _looked_at(Cluster(compute, NullTelemetry()), compute)
    except (ClusterLost, OSError) as error:
        return red(
            f"{error}",
            "start the scheduler, or correct compute.scheduler, tls and shared_dir; until then this computer "
            "does each scan alone",
        )


def _looked_at(cluster: Cluster, compute: DaskSettings) -> Finding:
    from streamlcn.distributed import made_with, sees

    cluster.join()
    compute.shared_dir.mkdir(parents=True, exist_ok=True)
    probe = compute.shared_dir / f".probe-{secrets.token_hex(8)}"
    try:
        probe.touch()
        seen = cluster.run_everywhere(sees, probe)
        versions = cluster.run_everywhere(made_with)
    finally:
        probe.unlink(missing_ok=True)
        cluster.leave()
    if not seen:
        return amber(
            f"the scheduler at {compute.address} has no workers",
            f"start some; after {compute.patience_s:g} s without any this computer goes on alone",
        )
    if blind := sorted(worker for worker, can_see in seen.items() if can_see is not True):
        return red(
            f"{len(blind)} of {len(seen)} workers do not see {compute.shared_dir}, such as {blind[0]}",
            "mount it on all of them under the same path",
        )
    if other := sorted(worker for worker, has in versions.items() if has != made_with()):
        return red(
            f"{len(other)} of {len(seen)} workers have other versions, such as {other[0]}",
            f"install there what is here: {', '.join(made_with())}",
        )
    return green(f"{len(seen)} workers at {compute.address} see {compute.shared_dir}")
