"""What is deployed agrees with the code: names, links, commands."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

from streamlcn.telemetry import CATALOGUE, Health, PrometheusTelemetry
from streamlcn.web import Board, make_app

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
BIN = str(Path(sys.executable).parent)
RUNBOOK = (DEPLOY / "RUNBOOK.md").read_text()
SECTIONS = set(re.findall(r"^## ([a-z-]+)$", RUNBOOK, re.M))
RULES = yaml.safe_load((DEPLOY / "prometheus" / "rules.yml").read_text())["groups"][0]["rules"]


def exported_names():
    for metric in CATALOGUE.values():
        yield metric.name
        if metric.kind == "histogram":
            yield from (metric.name + end for end in ("_bucket", "_sum", "_count"))


def unknown(expression):
    return set(re.findall(r"streamlcn_\w+", expression)) - set(exported_names())


def complaints(unit, instance, program, folder):
    """What systemd says of a unit of ours, with a program that is here in place of the one it starts."""
    text = (DEPLOY / "systemd" / unit).read_text()
    (folder / unit).write_text(text.replace(program, "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(folder / unit.replace("@", f"@{instance}"))],
        capture_output=True, text=True,
    )  # fmt: skip
    return [line for line in done.stderr.splitlines() if unit.partition("@")[0] + "@" in line]


def needs(program):
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_alerts_ask_for_names_that_exist_and_lead_to_the_runbook(rule):
    assert not unknown(rule["expr"])
    book = rule["annotations"]["runbook"].removeprefix("deploy/RUNBOOK.md#")
    assert book in SECTIONS
    assert rule["annotations"]["runbook_url"].endswith(f"/runbook#{book}")
    assert rule["labels"]["severity"] in {"page", "warn"}


def test_every_alert_has_a_unit_test():
    tests = (DEPLOY / "prometheus" / "rules_test.yml").read_text()
    assert [rule["alert"] for rule in RULES if rule["alert"] not in tests] == []


def test_label_values_in_alerts_are_in_the_catalogue():
    for rule in RULES:
        for what, label, value in re.findall(r'streamlcn_(\w+?)(?:_total)?\{(\w+)="(\w+)"\}', rule["expr"]):
            assert value in CATALOGUE[what].labels[label]


@needs("promtool")
def test_promtool_is_content():
    subprocess.run(["promtool", "check", "config", DEPLOY / "prometheus" / "prometheus.yml"], check=True)
    subprocess.run(["promtool", "test", "rules", DEPLOY / "prometheus" / "rules_test.yml"], check=True)


def test_the_dashboard_is_fresh_and_asks_for_names_that_exist():
    maker = DEPLOY / "grafana" / "make_dashboard.py"
    written = subprocess.check_output([sys.executable, maker], text=True)
    assert written == (DEPLOY / "grafana" / "streamlcn.json").read_text(), f"run {maker} again"
    targets = [target["expr"] for panel in json.loads(written)["panels"] for target in panel["targets"]]
    assert len(targets) > 15
    assert {name for expression in targets for name in unknown(expression)} == set()


def test_the_daemon_serves_this_very_runbook():
    assert (ROOT / "streamlcn" / "web" / "page" / "RUNBOOK.md").read_text() == RUNBOOK


def test_every_runbook_section_the_code_names_exists():
    named = set()
    for path in (ROOT / "streamlcn").rglob("*.py"):
        said = r'runbook(?:":|: str =|: ClassVar\[str\] =|=) ?"([a-z-]+)"'
        named |= set(re.findall(said, path.read_text()))
    assert {"scan-failed", "scan-partial", "workers-lost"} <= named, "the pattern above no longer finds them"
    assert named <= SECTIONS


@needs("systemd-analyze")
def test_the_unit_parses(tmp_path):
    program = "/opt/streamlcn/venv/bin/streamlcn"
    assert complaints("streamlcn@.service", "anatomix", program, tmp_path) == []


def test_unit_and_container_say_the_same():
    compose = yaml.safe_load((DEPLOY / "container" / "compose.yml").read_text())
    containerfile = (DEPLOY / "container" / "Containerfile").read_text()
    assert "EXPOSE 8790" in containerfile
    assert "/livez" in containerfile
    assert compose["services"]["streamlcn"]["ports"] == ["8790:8790"]
    assert "localhost:8790" in (DEPLOY / "prometheus" / "prometheus.yml").read_text()
    environment = yaml.safe_load((DEPLOY / "environment.yml").read_text())
    assert any(str(entry).startswith("tomopy") for entry in environment["dependencies"])


def test_compose_runs_what_is_installed_and_mounts_what_is_there():
    container = DEPLOY / "container"
    for name in ("compose.yml", "compose.postgres.yml"):
        for service in yaml.safe_load((container / name).read_text())["services"].values():
            if service.get("image") == "streamlcn" or "build" in service:
                assert shutil.which(service.get("entrypoint", ["streamlcn"])[0], path=BIN)
            else:
                assert not service.get("image", ":x").endswith(":latest"), "a version that can be named"
            for volume in service.get("volumes", []):
                if volume.startswith(".."):
                    assert (container / volume.split(":")[0]).exists(), volume


def test_kubernetes_asks_the_probes_that_are_served():
    service, daemon = yaml.safe_load_all((DEPLOY / "kubernetes" / "streamlcn.yml").read_text())
    pod = daemon["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    served = {route.path for route in make_app(Board(), Health(), PrometheusTelemetry()).routes}
    probes = {name: container[name]["httpGet"]["path"] for name in container if name.endswith("Probe")}
    assert probes == {"startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz"}
    assert set(probes.values()) <= served
    assert container["ports"] == [{"name": "http", "containerPort": 8790}]
    assert service["spec"]["selector"] == daemon["spec"]["template"]["metadata"]["labels"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert "USER 10001" in (DEPLOY / "container" / "Containerfile").read_text()
    places = {mount["name"] for mount in container["volumeMounts"]}
    claims = {claim["metadata"]["name"] for claim in daemon["spec"]["volumeClaimTemplates"]}
    assert places == claims | {volume["name"] for volume in pod["volumes"]}


def test_conda_and_pip_ask_for_the_same_versions():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    environment = yaml.safe_load((DEPLOY / "environment.yml").read_text())
    conda = {entry for entry in environment["dependencies"] if isinstance(entry, str)}
    ours_alone = {"python=3.11", "pip", "tomopy>=1.15", "astra-toolbox>=2.1"}
    renamed = {entry.replace("pytorch-gpu", "torch") for entry in conda - ours_alone}
    assert len(renamed) > 8
    assert renamed <= set(project["dependencies"])
