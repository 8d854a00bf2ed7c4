"""What brings up a scheduler and workers agrees with the code, as far as it can be tried on one machine."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import yaml
from test_deploy import BIN, DEPLOY, complaints, needs

from tests.waiting import until

PORT = "8786"


def test_compose_adds_a_scheduler_and_workers_to_the_daemon():
    base, more = (
        yaml.safe_load((DEPLOY / "container" / name).read_text())
        for name in ("compose.yml", "compose.dask.yml")
    )
    services = more["services"]
    assert set(services) - set(base["services"]) == {"scheduler", "worker"}
    for name in ("scheduler", "worker"):
        assert shutil.which(services[name]["entrypoint"][0], path=BIN)
        assert "ports" not in services[name], "nobody outside reaches it"
    assert PORT in services["scheduler"]["entrypoint"]
    assert f"scheduler:{PORT}" in services["worker"]["entrypoint"]
    shared = {name: set(services[name].get("volumes", ())) for name in services}
    assert "shared:/shared" in shared["worker"] & shared["streamlcn"]
    assert "distributed]" in (DEPLOY / "container" / "Containerfile").read_text()


def test_kubernetes_workers_find_the_scheduler_and_nobody_else_does():
    parts = list(yaml.safe_load_all((DEPLOY / "kubernetes" / "dask.yml").read_text()))
    service, policy, scheduler, worker = parts
    (container,) = worker["spec"]["template"]["spec"]["containers"]
    assert f"{service['metadata']['name']}:{PORT}" in container["command"]
    pods = scheduler["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= pods.items()
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= pods.items()
    for one in (scheduler, worker):
        assert one["spec"]["selector"]["matchLabels"] == one["spec"]["template"]["metadata"]["labels"]
        pod = one["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"]
        mounts = {mount["name"] for each in pod["containers"] for mount in each["volumeMounts"]}
        assert mounts == {volume["name"] for volume in pod["volumes"]}


@needs("systemd-analyze")
def test_the_worker_unit_parses(tmp_path):
    program = "/opt/streamlcn/venv/bin/dask"
    assert complaints("streamlcn-worker@.service", "0", program, tmp_path) == []


def test_the_slurm_script_parses():
    subprocess.run(["bash", "-n", DEPLOY / "slurm" / "workers.sh"], check=True)


@pytest.mark.slow
def test_the_slurm_script_starts_what_it_promises(tmp_path):
    """With a stand-in for srun that runs two tasks here."""
    venv, folder = tmp_path / "venv", tmp_path / "shared"
    folder.mkdir()
    (venv / "bin").mkdir(parents=True)
    (venv / "bin" / "dask").symlink_to(Path(BIN) / "dask")
    srun = tmp_path / "srun"
    srun.write_text(
        "#!/bin/bash\ncount=2\nwhile [[ $1 == --* ]]; do [[ $1 == --ntasks=1 ]] && count=1; shift; done\n"
        'for each in $(seq $count); do "$@" --host 127.0.0.1 & done\nwait\n'
    )
    srun.chmod(0o755)
    environ = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "STREAMLCN_VENV": str(venv)}
    environ |= {"SCHEDULER_PORT": "0", "DASK_TEMPORARY_DIRECTORY": str(tmp_path)}
    log = tmp_path / "log"
    with log.open("wb") as out:
        job = subprocess.Popen(
            [DEPLOY / "slurm" / "workers.sh", folder],
            env=environ, stdout=out, stderr=out, start_new_session=True,
        )  # fmt: skip
    try:
        until(lambda: log.read_text().count("Register worker addr") == 2, "two workers", 120)
        assert json.loads((folder / "scheduler.json").read_text())["address"].startswith("tcp://127.0.0.1:")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(job.pid, signal.SIGKILL)
        job.wait()


def test_the_environment_has_the_command_line_that_all_of_them_call():
    said = subprocess.check_output([sys.executable, "-m", "dask", "worker", "--help"], text=True)
    for option in (
        "--nthreads",
        "--no-dashboard",
        "--scheduler-file",
        "--memory-limit",
        "--death-timeout",
        "--tls-key",
    ):
        assert option in said
