"""A real Prometheus scrapes the daemon, with the rules that are deployed."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import threading
from pathlib import Path

import httpx
import pytest

RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "rules.yml"

pytestmark = pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not installed")


@pytest.fixture
def prometheus(daemon, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as chosen:
        port = chosen.getsockname()[1]
    (tmp_path / "prometheus.yml").write_text(
        f"global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: ['{RULES}']\n"
        "scrape_configs:\n"
        f"- job_name: streamlcn\n  static_configs: [{{targets: ['127.0.0.1:{daemon.server.port}']}}]\n"
    )
    command = [
        "prometheus",
        f"--config.file={tmp_path}/prometheus.yml",
        f"--storage.tsdb.path={tmp_path}/data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(20)


def ask(prometheus, query, fits):
    """Ask until the answer fits; at most half a minute."""
    pause, found = threading.Event(), []
    for _ in range(150):
        with contextlib.suppress(httpx.TransportError):
            reply = httpx.get(f"{prometheus}/api/v1/query", params={"query": query}, timeout=10)
            found = reply.json()["data"]["result"] if reply.status_code == 200 else []
            if found and fits(found):
                return found
        pause.wait(0.2)
    pytest.fail(f"{query} gave {found}")


def test_it_scrapes_levels_and_raises_the_alert(daemon, prometheus):
    daemon.scan("acquiring", 90)
    (sample,) = ask(prometheus, "streamlcn_scan_progress_ratio", lambda found: found[0]["value"][1] == "0.75")
    assert sample["metric"]["job"] == "streamlcn"
    daemon.say(event="ood", score=0.99, flag=True)
    ask(prometheus, 'ALERTS{alertname="StreamlcnOutOfDistribution",alertstate="firing"}', len)
