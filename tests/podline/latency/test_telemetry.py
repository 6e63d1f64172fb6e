"""The phases among Airflow's own metrics and traces, sent to servers of the real protocols."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from podline.latency import recorder, telemetry
from tests.support.latency import record
from tests.support.telemetry import OtlpReceiver, StatsdServer, attributes, otlp, statsd
from tests.support.waiting import until

ROOT = Path(__file__).parents[3]
TRIED = record("train", backend="kubernetes", phases={"prepare": 0.1, "code": 0.8, "finish": 0.1})
# A task's process: Airflow sets metrics and traces up, and makes the task's span.
TASK = """
import sys
import airflow.settings
from airflow.sdk.observability import stats
from airflow.sdk.observability.metrics import stats_utils
from opentelemetry import trace
from podline.latency import recorder
from podline.latency.record import Record

stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=False)
with trace.get_tracer("airflow").start_as_current_span("worker.train"):
    recorder._tell(Record.model_validate_json(sys.argv[1]))()
"""


@pytest.fixture
def server() -> Iterator[StatsdServer]:
    with statsd() as found:
        yield found


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    with otlp() as found:
        yield found


def send_by_statsd(server: StatsdServer, monkeypatch: pytest.MonkeyPatch, **settings: str) -> None:
    """Send the record as a task does whose Airflow has StatsD on."""
    from airflow.sdk.observability import stats
    from airflow.sdk.observability.metrics import stats_utils

    about = {"statsd_on": "True", "statsd_host": "127.0.0.1", "statsd_port": str(server.port)}
    for name, value in (about | settings).items():
        monkeypatch.setenv(f"AIRFLOW__METRICS__{name.upper()}", value)
    stats.initialize(factory=stats_utils.get_stats_factory(), export_legacy_names=False)
    try:
        recorder._tell(TRIED)()
    finally:
        if (client := getattr(stats_of_now(), "statsd", None)) is not None:
            client.close()
        stats.initialize(factory=stats_utils.NoStatsLogger, export_legacy_names=True)


def stats_of_now() -> Any:
    """What Airflow sends metrics with, in this process."""
    from airflow.sdk._shared.observability.metrics import stats

    return stats._get_backend()


def test_each_phase_is_a_timer_of_statsd_with_tags(
    server: StatsdServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__METRICS__LEGACY_NAMES_ON", "False")
    send_by_statsd(server, monkeypatch, statsd_influxdb_enabled="True")
    until(lambda: len(server.lines) == 4)
    phases = server.metrics("airflow.podline.phase.duration")
    where = {"dag_id": "d", "task_id": "train", "backend": "kubernetes"}
    assert [(found.tags, found.value, found.kind) for found in phases] == [
        ({**where, "phase": "prepare"}, 100.0, "ms"),
        ({**where, "phase": "code"}, 800.0, "ms"),
        ({**where, "phase": "finish"}, 100.0, "ms"),
    ]
    (overhead,) = server.metrics("airflow.podline.try.overhead")
    assert overhead.value == pytest.approx(200)
    assert overhead.tags == {**where, "state": "success"}


def test_where_statsd_has_no_tags_the_names_tell(
    server: StatsdServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_by_statsd(server, monkeypatch)
    until(lambda: len(server.lines) == 8)
    named = [(found.name, found.value) for found in server.metrics("airflow.podline.dag.")]
    assert named == [
        ("airflow.podline.dag.d.train.prepare.duration", 100.0),
        ("airflow.podline.dag.d.train.code.duration", 800.0),
        ("airflow.podline.dag.d.train.finish.duration", 100.0),
        ("airflow.podline.dag.d.train.overhead", pytest.approx(200)),
    ]


def test_an_id_is_one_part_of_a_name() -> None:
    found = telemetry.timings(record("group.step", dag_id="häuser.v2"), legacy_names=True)
    names = [timing.name for timing in found if not timing.tags]
    assert names[0] == "podline.dag.h_user__v2.group__step.prepare.duration"


def test_airflows_own_lists_hold(server: StatsdServer, monkeypatch: pytest.MonkeyPatch) -> None:
    send_by_statsd(server, monkeypatch, metrics_block_list="podline.phase,podline.dag")
    until(lambda: server.lines)
    assert [found.name for found in server.metrics("")] == ["airflow.podline.try.overhead"]


def test_what_is_off_sends_nothing(server: StatsdServer, monkeypatch: pytest.MonkeyPatch) -> None:
    send_by_statsd(server, monkeypatch, statsd_on="False")
    send_by_statsd(server, monkeypatch, metrics_allow_list="podline.try")
    until(lambda: server.lines)
    assert [found.name for found in server.metrics("")] == ["airflow.podline.try.overhead"]


def test_a_server_of_metrics_that_is_nowhere_costs_a_line(
    server: StatsdServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(telemetry, "_legacy_names", lambda: 1 / 0)
    send_by_statsd(server, monkeypatch)
    (said,) = [line.message for line in caplog.records if "phases" in line.message]
    assert said == "Airflow's metrics and traces lack the phases of this try: division by zero"


def run_task(receiver: OtlpReceiver, **settings: str) -> None:
    """Run a task's process that sends the record, with OpenTelemetry on in Airflow."""
    env = os.environ | {
        "AIRFLOW__METRICS__OTEL_ON": "True",
        "AIRFLOW__TRACES__OTEL_ON": "True",
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_TRACES_EXPORTER": "otlp_proto_http",
        "PYTHONPATH": str(ROOT / "plugins"),
        **settings,
    }
    command = [sys.executable, "-c", TASK, TRIED.model_dump_json()]
    subprocess.run(command, env=env, check=True, capture_output=True, timeout=120)


@pytest.mark.slow
def test_opentelemetry_has_a_histogram_and_a_span_a_phase(receiver: OtlpReceiver) -> None:
    run_task(receiver)
    points = receiver.points("airflow.podline.phase.duration")
    lengths = {attributes(point)["phase"]: point.sum for point in points}
    assert lengths == {"prepare": 100.0, "code": 800.0, "finish": 100.0}
    spans = {span.name: span for span in receiver.spans()}
    task = spans.pop("worker.train")
    assert [*spans] == ["podline.prepare", "podline.code", "podline.finish"]
    code = spans["podline.code"]
    assert code.parent_span_id == task.span_id
    assert code.trace_id == task.trace_id
    assert code.start_time_unix_nano == pytest.approx(1000.1e9, abs=1000)
    assert code.end_time_unix_nano - code.start_time_unix_nano == pytest.approx(0.8e9, abs=1000)
    told = attributes(code)
    assert (told["airflow.dag_id"], told["podline.backend"]) == ("d", "kubernetes")
    assert told["airflow.task_instance.try_number"] == 1


def test_a_run_that_is_not_sampled_has_no_spans(receiver: OtlpReceiver) -> None:
    run_task(receiver, OTEL_TRACES_SAMPLER="always_off")
    assert receiver.points("airflow.podline.phase.duration")
    assert receiver.spans() == []


# --- the dashboard


def expressions(panel: Any) -> Iterator[str]:
    """All that a dashboard asks its Prometheus for."""
    if isinstance(panel, dict):
        yield from (panel[name] for name in ("expr", "definition") if name in panel)
        for inner in panel.values():
            yield from expressions(inner)
    elif isinstance(panel, list):
        for inner in panel:
            yield from expressions(inner)


DASHBOARD = json.loads((ROOT / "docs/grafana-dashboard.json").read_text())
PAGE = (ROOT / "docs/metrics.md").read_text()
QUERIES = [*expressions(DASHBOARD)]


def metrics(query: str) -> set[str]:
    """The metrics that a query asks for, as Airflow's side calls them."""
    found = re.findall(r"\bairflow_podline_\w+", query)
    return {re.sub("_(sum|count)$", "", name) for name in found}


def labels(query: str) -> set[str]:
    """The labels that it asks for, besides what the exporter itself adds."""
    groups = re.findall(r"\bby \(([^)]*)\)", query)
    found = {label.strip() for group in groups for label in group.split(",")}
    found |= set(re.findall(r"(\w+)=~?\"", query))
    found |= set(re.findall(r"label_values\(\w+(?:\{.*\})?, (\w+)\)", query))
    return found - {"quantile"}


def by_tags() -> dict[str, set[str]]:
    """The labels of each metric, where StatsD has tags."""
    sent: dict[str, set[str]] = {}
    for timing in telemetry.timings(TRIED, legacy_names=False):
        sent.setdefault(f"airflow_{timing.name.replace('.', '_')}", set()).update(timing.tags)
    return sent


def by_names() -> dict[str, set[str]]:
    """The same without tags, by the page's mappings."""
    sent: dict[str, set[str]] = {}
    for timing in telemetry.timings(TRIED, legacy_names=True):
        for name, found in mapped(f"airflow.{timing.name}"):
            sent.setdefault(name, set()).update(found)
    return sent


def mapped(name: str) -> Iterator[tuple[str, dict[str, str]]]:
    """What the exporter makes of a name: a star is one part of it, `$1` the first star's."""
    (found,) = [block for block in fences("yaml") if "extraMappings" in block]
    for mapping in yaml.safe_load(found)["statsd"]["extraMappings"]:
        stars = re.escape(mapping["match"]).replace(r"\*", r"([^.]*)")
        if match := re.fullmatch(stars, name):
            given = mapping["labels"].items()
            yield mapping["name"], {label: match[int(star[1:])] for label, star in given}


def fences(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_the_dashboard_asks_for_what_is_sent() -> None:
    sent = by_tags()
    assert {name for query in QUERIES for name in metrics(query)} == sent.keys()
    for query in QUERIES:
        for name in metrics(query):
            assert labels(query) <= sent[name], query


def test_without_tags_it_shows_all_but_what_the_page_says() -> None:
    sent = by_names()
    assert sent.keys() == by_tags().keys()
    variables = [*expressions(DASHBOARD["templating"])]
    assert len(variables) == 2
    assert {label for query in variables for label in labels(query)} == {"dag_id", "task_id"}
    for query in variables:
        assert all(labels(query) <= sent[name] for name in metrics(query)), query
    coarse = {
        panel["title"].partition(":")[0]: labels(query) - sent[name]
        for panel in DASHBOARD["panels"]
        for query in expressions(panel)
        for name in metrics(query)
        if not labels(query) <= sent[name]
    }
    assert coarse == {"Tries, by how they ended": {"state"}, "Overhead of a try": {"backend"}}
    assert all(f"*{title}*" in PAGE for title in coarse)


def test_a_mapping_gives_the_ids_back_with_their_dots_marked() -> None:
    dotted = record("group.step", dag_id="vision.power", phases={"code": 1.0})
    names = [t.name for t in telemetry.timings(dotted, legacy_names=True) if not t.tags]
    ids = {"dag_id": "vision__power", "task_id": "group__step"}
    assert [found for name in names for found in mapped(f"airflow.{name}")] == [
        ("airflow_podline_phase_duration", {**ids, "phase": "code"}),
        ("airflow_podline_try_overhead", ids),
    ]


def test_the_charts_values_are_for_its_exporter() -> None:
    """One switch runs the exporter, another sends it anything: the page has both, the file neither."""
    chart = yaml.safe_load((ROOT / "helm-values/airflow.yaml").read_text())
    (on,) = [yaml.safe_load(block) for block in fences("yaml") if "enabled: true" in block]
    assert (on["statsd"]["enabled"], on["config"]["metrics"]["statsd_on"]) == (True, True)
    assert (chart["statsd"]["enabled"], chart["config"]["metrics"]["statsd_on"]) == (False, False)
    tags = "statsd_influxdb_enabled"
    assert chart["config"]["metrics"][tags] is on["config"]["metrics"][tags] is True


def test_the_dashboard_knows_the_phases() -> None:
    from podline.phases import PHASES

    named = {
        name
        for query in QUERIES
        for group in re.findall(r'phase=~"([a-z|]+)"', query)
        for name in group.split("|")
    }
    assert named
    assert named <= set(PHASES)
