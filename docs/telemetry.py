"""Write the reference of telemetry and alerts: `python docs/telemetry.py > docs/telemetry.md`."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from streamlcn.telemetry import CATALOGUE, PREFIX, Metric

RULES = Path(__file__).parents[1] / "deploy" / "prometheus" / "rules.yml"

HEAD = f"""\
# Telemetry and alerts

`/metrics` is in Prometheus' text format. All names begin with `{PREFIX}`; counters end in `_total`, times are
seconds, times of day are Unix timestamps. Every series of a closed label set exists from the start, and no
scan uid is a label. Histograms have the usual `_bucket`, `_sum` and `_count`.

This page is made by `python docs/telemetry.py > docs/telemetry.md`; a test fails when it is stale.

## Metrics

| name | kind | labels | meaning |
|---|---|---|---|
"""

ALERTS = """
## Alerts

As in `deploy/prometheus/rules.yml`; each has a unit test beside it, and a section of the
[runbook](../deploy/RUNBOOK.md).

| alert | level | after | says |
|---|---|---|---|
"""


def row(metric: Metric) -> str:
    """Return one metric as a row."""
    labels = "; ".join(
        f"`{name}`: " + (", ".join(values) if values else "as the machine says")
        for name, values in metric.labels.items()
    )
    return f"| `{metric.name.removeprefix(PREFIX)}` | {metric.kind} | {labels} | {metric.help} |"


def main() -> None:
    """Print the page."""
    rules = yaml.safe_load(RULES.read_text("utf-8"))["groups"][0]["rules"]
    alerts = []
    for rule in rules:
        section = rule["annotations"]["runbook"].partition("#")[2]
        says = re.sub("{{.*?}}", "…", rule["annotations"]["summary"])
        alert = f"[{rule['alert']}](../deploy/RUNBOOK.md#{section})"
        alerts.append(f"| {alert} | {rule['labels']['severity']} | {rule['for']} | {says} |")
    print(HEAD + "\n".join(map(row, CATALOGUE.values())) + "\n" + ALERTS + "\n".join(alerts))


if __name__ == "__main__":
    main()
