"""Each metric is declared once, and what Prometheus is shown follows from the declarations."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import exposition
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from serving import ROOT
from ssechat.identity.tokens import COOKIE
from ssechat.telemetry.declarations import Declaration
from ssechat.telemetry.exposition import Exposition, declarations
from ssechat.telemetry.metrics import KIND_NAMES, SERIES, Metrics
from ssechat.telemetry.process import Process

SOURCE = ROOT / "src" / "ssechat"
OBSERVERS = [*(ROOT / "deploy" / "prometheus").rglob("*.*"), ROOT / "tests" / "e2e" / "alerts_test.yml"]

OF_PROMETHEUS = {"job", "instance", "le"}
"""Labels that Prometheus adds to a series."""


def families(metrics: Metrics) -> list[Metric]:
    """Parses the exposition of one worker as a scraper does."""
    state = {"pid": 1, **metrics.state(), **Process().usage()}
    encode, _ = exposition.choose_encoder("")
    text = encode(Exposition(metrics.snapshot(), [state])).decode()
    return list(text_string_to_metric_families(text))


def name_in_text(declaration: Declaration) -> str:
    """The name of the metric in Prometheus's old text format, which knows no `info`."""
    return f"{declaration.name}_info" if declaration.type == "info" else declaration.name


def test_each_declared_metric_is_exposed_with_its_help_and_type_and_no_other_metric_is() -> None:
    shown = {family.name: (family.type, family.documentation) for family in families(Metrics())}
    types = {"info": "gauge"}
    assert shown == {name_in_text(one): (types.get(one.type, one.type), one.help) for one in declarations()}
    assert all(one.help.endswith(".") for one in declarations())


def test_each_name_of_a_metric_stands_once_in_the_code_and_is_exposed() -> None:
    names = Counter(name for path in SOURCE.rglob("*.py") for name in re.findall(r'"(ssechat_\w+)"', path.read_text()))
    del names[COOKIE]
    assert names == Counter(one.name for one in declarations())


def test_each_metric_has_a_sample_before_anything_happened_but_for_requests() -> None:
    metrics = Metrics()
    assert [family.name for family in families(metrics) if not family.samples] == ["ssechat_http_requests"]
    metrics.requests["GET", "/v1/session", 200] += 1
    assert [family.name for family in families(metrics) if not family.samples] == []


def test_each_sample_has_the_declared_labels() -> None:
    metrics = Metrics()
    metrics.requests["GET", "/v1/session", 200] += 1
    shown = {family.name: {frozenset(one.labels) - {"le"} for one in family.samples} for family in families(metrics)}
    assert shown == {name_in_text(one): {frozenset(one.labels)} for one in declarations()}


def test_a_histogram_has_the_declared_buckets_and_each_includes_those_below() -> None:
    metrics = Metrics()
    for items in (1, 3, 3, 1000):
        metrics.batch_items.observe(items)
    [family] = [family for family in families(metrics) if family.name == "ssechat_redis_batch_items"]
    shown = {one.labels["le"]: one.value for one in family.samples if one.name.endswith("_bucket")}
    upper = dict.fromkeys(("4.0", "8.0", "16.0", "32.0", "64.0", "128.0"), 3)
    assert shown == {"1.0": 1, "2.0": 1, **upper, "+Inf": 4}
    assert {one.value for one in family.samples if one.name.endswith("_sum")} == {1007}


def test_a_made_up_kind_of_event_is_a_series_of_its_own() -> None:
    metrics = Metrics()
    metrics.events_live["made up"] += 3
    [family] = [family for family in families(metrics) if family.name == "ssechat_events_written"]
    shown = {(one.labels["source"], one.labels["kind"]): one.value for one in family.samples}
    assert shown == {**{(source, kind): 0 for source in ("live", "log") for kind in KIND_NAMES}, ("live", "made up"): 3}


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(201, "created"), (200, "repeated"), (404, "refused"), (422, "refused"), (500, "failed"), (503, "unavailable")],
)
def test_a_sends_outcome_follows_from_the_status_of_its_response(status: int, outcome: str) -> None:
    metrics = Metrics()
    metrics.requests["POST", "/v1/messages", status] += 2
    metrics.requests["GET", "/v1/messages", status] += 1
    metrics.requests["POST", "/v1/users", status] += 1
    [family] = [family for family in families(metrics) if family.name == "ssechat_sends"]
    shown = {one.labels["outcome"]: one.value for one in family.samples if one.name == "ssechat_sends_total"}
    outcomes = dict.fromkeys(("created", "repeated", "conflict", "refused", "unavailable", "failed"), 0)
    assert shown == {**outcomes, outcome: 2}


def attributes_of_metrics(node: ast.AST, path: Path) -> Iterator[str]:
    """The attributes of a worker's metrics that a statement's target writes to."""
    if isinstance(node, ast.Tuple):
        for element in node.elts:
            yield from attributes_of_metrics(element, path)
    if isinstance(node, ast.Subscript):
        yield from attributes_of_metrics(node.value, path)
    if isinstance(node, ast.Attribute) and node.attr in SERIES:
        owner = node.value.id if isinstance(node.value, ast.Name) else getattr(node.value, "attr", "")
        if owner.lstrip("_") == "metrics" or (owner == "self" and path.parts[-2:] == ("telemetry", "metrics.py")):
            yield node.attr


def test_gauges_are_assigned_and_all_other_metrics_only_rise() -> None:
    assigned: set[str] = set()
    incremented: set[str] = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.AugAssign):
                assert isinstance(node.op, ast.Add) or not list(attributes_of_metrics(node.target, path))
                incremented.update(attributes_of_metrics(node.target, path))
            for target in node.targets if isinstance(node, ast.Assign) else ():
                assigned.update(attributes_of_metrics(target, path))
    gauges = {name for name, series in SERIES.items() if series.declaration.type == "gauge"}
    assert (assigned, incremented & gauges) == (gauges, set())
    assert incremented, "the code does not look as this test expects"


def test_dashboards_and_alerts_ask_only_for_metrics_and_labels_that_there_are() -> None:
    samples = {one.name for family in families(Metrics()) for one in family.samples} | {"ssechat_http_requests_total"}
    labels = {
        name + suffix: {*one.labels, *OF_PROMETHEUS}
        for one in declarations()
        for name in [name_in_text(one)]
        for suffix in ("", "_total", "_bucket", "_sum", "_count")
    }
    histograms = {one.name for one in declarations() if one.type == "histogram"}  # the dashboard adds the suffix
    asked = 0
    for path in OBSERVERS:
        text = path.read_text()
        for name in re.findall(r"\bssechat_\w+", text):
            asked += 1
            assert name in samples | histograms, f"{name} in {path.name}"
        for name, selector in re.findall(r"\b(ssechat_\w+)\{([^}]*)\}", text):
            assert set(re.findall(r"(\w+)=", selector)) <= labels[name], f"{name} in {path.name}"
        for name, by in re.findall(r'rate\("(ssechat_\w+)", "([^"]+)"\)', text):
            assert set(by.split(", ")) <= labels[name], f"{name} in {path.name}"
    assert asked > 40
