"""Alerts, runbook, dashboard and its provisioning fit one another; whether rules are valid, `make alerts` says."""

import json
import re
from pathlib import Path
from typing import Any

import yaml

from workers.settings import Settings

OPS = Path(__file__).parents[2] / "ops"
RULES = [rule for group in yaml.safe_load((OPS / "prometheus" / "rules.yml").read_text())["groups"]
         for rule in group["rules"]]  # fmt: skip
ALERTS = {rule["alert"]: rule for rule in RULES if "alert" in rule}
RECORDED = {rule["record"] for rule in RULES if "record" in rule}
DASHBOARD: dict[str, Any] = json.loads((OPS / "grafana" / "dashboards" / "tenor.json").read_text())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def expressions() -> list[str]:
    """Everything that rules and panels ask Prometheus."""
    shown = [target["expr"] for panel in PANELS for target in panel["targets"]]
    return [*(rule["expr"] for rule in RULES), *shown]


def metrics_asked_for() -> set[str]:
    """The metrics of Tenor that rules and panels read."""
    return {name for expression in expressions() for name in re.findall(r"\btenor_[a-z_]+", expression)}


def test_every_alert_has_a_section_in_the_runbook_and_leads_to_it() -> None:
    sections = set(re.findall(r"^### (Tenor\w+)$", (OPS / "docs" / "runbook.md").read_text(), re.MULTILINE))

    assert sections == set(ALERTS)
    for name, rule in ALERTS.items():
        assert rule["annotations"]["runbook"] == f"ops/docs/runbook.md#{name.lower()}"
        assert rule["labels"]["severity"] in {"page", "ticket"}


def test_every_alert_is_tried() -> None:
    tried = yaml.safe_load((OPS / "prometheus" / "rules_test.yml").read_text())["tests"]

    spoke = {test["alertname"] for case in tried for test in case["alert_rule_test"] if "exp_alerts" in test}
    assert spoke == set(ALERTS)


def test_what_is_recorded_is_recorded_before_it_is_read() -> None:
    read = {name for expression in expressions() for name in re.findall(r"\btenor:[a-z_]+", expression)}

    assert read == RECORDED


def test_panels_have_a_source_a_unit_and_a_place_of_their_own() -> None:
    (source,) = yaml.safe_load((OPS / "grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"]
    taken = set()
    for panel in PANELS:
        assert panel["datasource"] == {"type": source["type"], "uid": source["uid"]}, panel["title"]
        assert all(target["datasource"] == panel["datasource"] for target in panel["targets"])
        assert panel["fieldConfig"]["defaults"]["unit"] and panel["targets"]
        at = panel["gridPos"]
        cells = {(at["x"] + i, at["y"] + k) for i in range(at["w"]) for k in range(at["h"])}
        assert not cells & taken and at["x"] + at["w"] <= 24, panel["title"]
        taken |= cells
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))


def test_the_dashboard_is_found_where_grafana_looks() -> None:
    (provider,) = yaml.safe_load((OPS / "grafana/provisioning/dashboards/tenor.yml").read_text())["providers"]

    assert provider["options"]["path"] == "/var/lib/grafana/dashboards"
    assert [path.name for path in (OPS / "grafana" / "dashboards").iterdir()] == ["tenor.json"]


def test_every_metric_that_is_asked_for_is_explained() -> None:
    page = (OPS / "docs" / "metrics.md").read_text()

    assert [name for name in sorted(metrics_asked_for()) if f"`{name}`" not in page] == []


def test_metrics_are_served_to_this_machine_alone_unless_told_otherwise() -> None:
    assert Settings().metrics_host == "127.0.0.1"
