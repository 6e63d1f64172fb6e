"""Airflow in a cluster by `make up-kubernetes`: each task has a pod of its own beside its stage's."""

import json
import subprocess
from base64 import b64decode
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest

from tests.support.airflow_server import Airflow
from tests.support.dags_test import ROOT
from tests.support.latency import lengths, one_try
from tests.support.namespaces import own_namespace
from tests.support.waiting import until

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.slow,
    pytest.mark.xdist_group("airflow-in-cluster"),
    pytest.mark.timeout(900),
]

DAG = "household_power"
STAGES = ["ingest", "preprocess", "train", "evaluate", "publish"]
SMALL = {"rows": 20_000, "model_size": 1_000, "steps": 20}
PARTS = ("api-server", "scheduler", "dag-processor", "triggerer")


class Cluster(NamedTuple):
    """An Airflow in the cluster, and its namespaces."""

    airflow: Airflow
    own: str
    stages: str


@pytest.fixture(scope="module")
def there(core: Any) -> Iterator[Cluster]:
    """What `make up-kubernetes` makes, in namespaces of the test's own."""
    with own_namespace(core, "airflow-test") as own, own_namespace(core) as stages:
        # Nothing is installed: this test runs from what is.
        command = ["make", "--old-file=.venv/.installed", "up-kubernetes"]
        command += [f"AIRFLOW_NAMESPACE={own}", f"NAMESPACE={stages}"]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
        keys = core.read_namespaced_secret("airflow-keys", own).data
        password = json.loads(b64decode(keys["passwords"]))["admin"]
        address = core.read_namespaced_service("airflow-api-server", own).spec.cluster_ip
        airflow = Airflow(f"http://{address}:8080", password, {})
        airflow.wait_for_dag(DAG)
        yield Cluster(airflow, own, stages)


@pytest.fixture(scope="module")
def run_id(there: Cluster) -> str:
    """A run of household_power that succeeded."""
    run_id = there.airflow.trigger(DAG, SMALL)
    assert there.airflow.wait(DAG, run_id, 400) == "success", told(there.airflow, run_id)
    return run_id


def told(airflow: Airflow, run_id: str) -> str:
    """What the tasks' logs end with."""
    return "\n".join(
        f"{name} {task['state']}: {airflow.log_text(DAG, run_id, name)[-1500:]}"
        for name, task in airflow.tasks(DAG, run_id).items()
    )


def test_each_task_and_each_stage_had_a_pod(there: Cluster, run_id: str, core: Any) -> None:
    tasks, stages = (
        {
            event.involved_object.name
            for event in core.list_namespaced_event(namespace).items
            if event.reason == "Started" and event.involved_object.name.startswith("household-")
        }
        for namespace in (there.own, there.stages)
    )
    for stage in STAGES:
        for pods in (tasks, stages):
            assert any(name.startswith(f"household-power-{stage}-") for name in pods), pods


def test_the_page_has_what_each_took(there: Cluster, run_id: str) -> None:
    for stage in STAGES:
        phases = lengths(one_try(there.airflow, DAG, run_id, stage))
        assert {"scheduled", "queued", "prepare", "boot", "code", "store", "finish"} <= {*phases}


def test_a_log_outlives_its_pod(there: Cluster, run_id: str, core: Any) -> None:
    def left() -> list[Any]:
        return list(core.list_namespaced_pod(there.own, label_selector="component=worker").items)

    until(lambda: not left(), 60)
    assert "runs on the backend 'kubernetes'" in there.airflow.log_text(DAG, run_id, "train")


def test_an_executed_notebook_is_a_page(there: Cluster, run_id: str) -> None:
    path = f"/podline/api/v1/dags/{DAG}/runs/{quote(run_id)}/tasks/train/notebook?form=ipynb"
    assert there.airflow.call("GET", path)["nbformat"] == 4


def test_an_upgrade_in_the_middle_loses_nothing(there: Cluster, run_id: str) -> None:
    """All parts are replaced while a stage runs: it goes on, and the run ends well."""
    second = there.airflow.trigger(DAG, SMALL)

    def state(name: str) -> str:
        return str(there.airflow.tasks(DAG, second).get(name, {}).get("state"))

    until(lambda: state("ingest") in ("running", "success"), 120)
    kubectl = ["kubectl", "--namespace", there.own]
    parts = [f"deployment/airflow-{part}" for part in PARTS]
    subprocess.run([*kubectl, "set", "env", *parts, "UPGRADED=1"], check=True)
    for part in parts:
        subprocess.run([*kubectl, "rollout", "status", part, "--timeout=300s"], check=True)
    assert wait_through(there.airflow, second) == "success", told(there.airflow, second)
    tasks = there.airflow.tasks(DAG, second)
    assert {name: task["state"] for name, task in tasks.items()} == dict.fromkeys(STAGES, "success")


def wait_through(airflow: Airflow, run_id: str) -> str:
    """Wait for a run's end over an API server that is replaced meanwhile; returns its state."""

    def ended() -> str | None:
        try:
            return airflow.wait(DAG, run_id, 5)
        except (OSError, RuntimeError):  # TimeoutError too
            return None

    return str(until(ended, 300))
