"""Airflow in a cluster, KubernetesExecutor: each task has a pod of its own beside its stage's."""

from typing import Any
from urllib.parse import quote

import pytest

from tests.support.airflow_in_cluster import DAG, SMALL, STAGES, Cluster
from tests.support.latency import lengths, one_try
from tests.support.waiting import until

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.slow,
    pytest.mark.xdist_group("airflow-in-cluster"),
    pytest.mark.timeout(900),
]


@pytest.fixture(scope="module")
def run_id(there: Cluster) -> str:
    """A run of household_power that succeeded."""
    run_id = there.airflow.trigger(DAG, SMALL)
    assert there.airflow.wait(DAG, run_id, 400) == "success", there.told(run_id)
    return run_id


def test_each_task_and_each_stage_had_a_pod(there: Cluster, run_id: str, core: Any) -> None:
    tasks, stages = (
        {
            event.involved_object.name
            for event in core.list_namespaced_event(namespace).items
            if event.reason == "Started"
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


def test_an_executed_notebook_can_be_had(there: Cluster, run_id: str) -> None:
    path = f"/podline/api/v1/dags/{DAG}/runs/{quote(run_id)}/tasks/train/notebook?form=ipynb"
    assert there.airflow.call("GET", path)["nbformat"] == 4
