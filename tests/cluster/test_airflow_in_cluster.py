"""Airflow in a cluster, KubernetesExecutor: each task has a pod of its own beside its stage's."""

import os
import shutil
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.airflow_in_cluster import DAG, SMALL, STAGES, Cluster, make_up
from tests.support.dags_test import ROOT
from tests.support.image_pods import REGISTRY
from tests.support.latency import lengths, one_try
from tests.support.waiting import until

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.deployment,
    pytest.mark.xdist_group("airflow-in-cluster"),
    pytest.mark.timeout(900),
]


def parts(core: Any, namespace: str) -> dict[str, str]:
    """The pods of Airflow's own parts that do not end, by the part."""
    found = core.list_namespaced_pod(namespace, label_selector="component,component!=worker").items
    return {
        pod.metadata.labels["component"]: pod.metadata.uid
        for pod in found
        if pod.status.phase == "Running" and not pod.metadata.deletion_timestamp
    }


def test_an_upgrade_right_after_the_installation(there: Cluster, core: Any) -> None:
    """The first test: the job that migrated the database is there."""
    before = parts(core, there.own)
    make_up(there.own, there.stages, f"IMAGE_PREFIX={REGISTRY}")
    after = parts(core, there.own)
    assert {*after} == {*before}
    assert not {*before.values()} & {*after.values()}


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
        found = core.list_namespaced_pod(there.own, label_selector=f"dag_id={DAG}")
        return list(found.items)

    until(lambda: not left(), 60)
    assert "runs on the backend 'kubernetes'" in there.airflow.log_text(DAG, run_id, "train")


def test_an_executed_notebook_can_be_had(there: Cluster, run_id: str) -> None:
    path = f"/podline/api/v1/dags/{DAG}/runs/{quote(run_id)}/tasks/train/notebook?form=ipynb"
    assert there.airflow.call("GET", path)["nbformat"] == 4


def changed(folder: Path, old: str, new: str) -> Path:
    """A copy of the makefile and the manifests, with other settings."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "helm-values", folder / "helm-values")
    (folder / ".venv").symlink_to(ROOT / ".venv")
    plain = folder / "helm-values" / "airflow-plain.yaml"
    text = plain.read_text()
    assert old in text
    plain.write_text(text.replace(old, new))
    return folder


def test_made_again_it_has_changed_settings_and_edges(
    there: Cluster, run_id: str, core: Any, tmp_path: Path
) -> None:
    """The edges serve what the run has published."""
    if os.environ.get("PODLINE_CHART"):
        pytest.skip("needs the plain manifests: the chart has checksums of its own")
    same = f"IMAGE_PREFIX={REGISTRY}"
    before = parts(core, there.own)
    make_up(there.own, there.stages, same)
    assert parts(core, there.own) == before
    edges = core.list_namespaced_pod(there.stages, label_selector="podline.dev/edge=true").items
    assert sum(status.ready for pod in edges for status in pod.status.container_statuses) == 2
    folder = changed(tmp_path, 'PARALLELISM: "16"', 'PARALLELISM: "15"')
    make_up(there.own, there.stages, same, folder=folder)
    assert not {*before.values()} & {*parts(core, there.own).values()}
