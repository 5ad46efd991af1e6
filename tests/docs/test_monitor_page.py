"""The page about monitoring, the alert rules and the dashboard name the metrics that there are, and no others."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from prometheus_client.metrics_core import Metric

from dispatch.rules.readiness import Figures, Limits, judge_readiness
from dispatch.services.metrics import Figured
from tests.docs.pages import DOCS, bare, read, rows, section

PAGE = read("howto/monitor.md")
RULES = yaml.safe_load(read("monitoring/prometheus-rules.yaml"))
DASHBOARD = json.loads(read("monitoring/grafana-dashboard.json"))
FIGURES = Figures(
    beat_age=1.0,
    plan_age=1.0,
    messages={"planned": 1},
    loops={"deliver": 1},
    counts={"attempts": {}, "events": {}, "webhook_calls": {}},
)
FAMILIES: dict[str, Metric] = {
    family.name + ("_total" if family.type == "counter" else ""): family for family in Figured(FIGURES, 0).collect()
}
ALERTS = {rule["alert"]: rule for group in RULES["groups"] for rule in group["rules"]}
_NAME = re.compile(r"\bampout_\w+")
_MATCHER = re.compile(r"(\bampout_\w+)\{([^}]*)\}")


def labels_of(name: str) -> set[str]:
    return {label for sample in FAMILIES[name].samples for label in sample.labels}


def panels() -> Iterator[dict[str, Any]]:
    yield from DASHBOARD["panels"]


def queries() -> list[str]:
    """Every query of the rules and of the dashboard."""
    shown = [target["expr"] for panel in panels() for target in panel["targets"]]
    variables = [variable["query"] for variable in DASHBOARD["templating"]["list"]]
    return [*(rule["expr"] for rule in ALERTS.values()), *shown, *(text for text in variables if "(" in text)]


def test_every_metric_is_on_the_page_with_its_kind_and_labels() -> None:
    told = {bare(row[0]): (row[1], bare(row[2])) for row in rows(section(PAGE, "## Metrics"))}
    assert told == {name: (family.type, ", ".join(labels_of(name))) for name, family in FAMILIES.items()}


def test_the_page_names_no_metric_that_there_is_not() -> None:
    assert set(_NAME.findall(PAGE)) == set(FAMILIES)


@pytest.mark.parametrize("query", queries())
def test_every_query_asks_for_metrics_and_labels_that_exist(query: str) -> None:
    assert (names := set(_NAME.findall(query))) or "up{" in query
    assert names <= set(FAMILIES)
    for name, matchers in _MATCHER.findall(query):
        assert set(re.findall(r"(\w+)\s*(?:=|!)", matchers)) <= labels_of(name) | {"job", "instance"}
    for grouped in re.findall(r"by \((\w+)\)", query):
        assert grouped in set().union(*map(labels_of, names))


@pytest.mark.parametrize("query", queries())
def test_only_counters_have_a_rate(query: str) -> None:
    for name in re.findall(r"(?:rate|increase)\((\w+)", query):
        assert FAMILIES[name].type == "counter"


def test_every_metric_is_shown_on_the_dashboard() -> None:
    shown = " ".join(target["expr"] for panel in panels() for target in panel["targets"])
    assert set(FAMILIES) == set(_NAME.findall(shown))


def test_numbers_of_several_web_processes_are_not_added_up_on_the_dashboard() -> None:
    assert all("sum" not in target["expr"] for panel in panels() for target in panel["targets"])


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    assert len({panel["id"] for panel in panels()}) == len(DASHBOARD["panels"])
    cells = [
        (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
        for panel in panels()
        for x in range(panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_every_alert_is_on_the_page_with_its_severity() -> None:
    told = {bare(row[0]): row[1] for row in rows(section(PAGE, "## Alerts"))}
    assert told == {name: rule["labels"]["severity"] for name, rule in ALERTS.items()}


@pytest.mark.parametrize("name", ALERTS)
def test_every_alert_is_a_rule_of_prometheus(name: str) -> None:
    """Prometheus: Configuration, Alerting rules."""
    rule = ALERTS[name]
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert re.fullmatch(r"[A-Za-z_]\w*", name)
    assert re.fullmatch(r"\d+[smh]", rule.get("for", "1m"))
    assert set(rule["annotations"]) == {"summary", "action"}
    assert rule["expr"].count("(") == rule["expr"].count(")")


def test_every_pair_of_a_ratio_leaves_out_no_label_that_the_other_has() -> None:
    assert "on (instance)" in ALERTS["AmpoutPlannerFails"]["expr"]


def test_every_check_of_readiness_is_on_the_page() -> None:
    told = [bare(row[0]) for row in rows(section(PAGE, "## What `/readyz` checks"))]
    assert told == list(judge_readiness(FIGURES, 0, Limits(2, 600, 100)))


def test_the_files_are_where_the_page_says() -> None:
    for path in re.findall(r"\]\(\.\./(monitoring/[^)]+)\)", PAGE):
        assert (DOCS / path).is_file()
