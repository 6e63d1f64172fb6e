"""A team's notebooks: where their stages run, and what they get."""

import os
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import ParamValidationError

from podline.operators.dag_factory import notebook_dags
from podline.operators.team import Team
from tests.support.notebooks import write_notebook

CELLS = {"step:one": "x = 1", "step:two": "x + 1"}
VISION = Team(
    "vision",
    service_account="stages",
    requests={"cpu": "2"},
    node_selector={"disk": "ssd"},
    pool="vision",
    tags=("vision",),
)


def dags_of(folder: Path, team: Team = VISION, **about: Any) -> list[DAG]:
    """The pipeline and the baseline of a notebook whose metadata say that."""
    write_notebook(folder, "example", CELLS, **about)
    return notebook_dags(folder, team=team)


def test_all_tasks_have_what_the_team_has(tmp_path: Path) -> None:
    dags = dags_of(tmp_path)
    tasks = [task for dag in dags for task in dag.tasks]
    assert len(tasks) == 3
    for task in tasks:
        assert (task.namespace, task.service_account_name) == ("vision", "stages")
        assert task.node_selector == {"disk": "ssd"}
        assert task.pool == "vision"
        # What the team does not say is the setting's.
        assert task.container_resources.requests == {"cpu": "2", "memory": "512Mi"}
        assert task.container_resources.limits == {"memory": "4Gi"}
    assert all("vision" in dag.tags for dag in dags)


def test_a_limit_below_the_settings_request(tmp_path: Path) -> None:
    dags = dags_of(tmp_path, Team("vision", limits={"memory": "256Mi"}))
    for task in (task for dag in dags for task in dag.tasks):
        assert task.container_resources.requests == {"cpu": "100m"}
        assert task.container_resources.limits == {"memory": "256Mi"}


def test_a_task_whose_notebook_cannot_be_read_has_it_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "vision.example")
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_TASK_ID", "two")
    (dag,) = notebook_dags(tmp_path, "vision.example", VISION)
    assert dag.get_task("two").namespace == "vision"


def test_who_has_no_team_goes_by_the_settings(tmp_path: Path) -> None:
    pipeline, _ = dags_of(tmp_path, Team())
    task = pipeline.get_task("one")
    assert (task.namespace, task.service_account_name) == (None, None)
    assert task.container_resources is None
    assert task.pool == "default_pool"


def test_a_notebooks_metadata_go_over_the_teams_pool(tmp_path: Path) -> None:
    about = {"pool": "gpu", "priority_weight": 7, "max_active_tis_per_dag": 2}
    pipeline, baseline = dags_of(tmp_path, **about)
    for dag in (pipeline, baseline):
        for task in dag.tasks:
            assert {name: getattr(task, name) for name in about} == about


def test_a_stages_tags_go_over_the_metadata(tmp_path: Path) -> None:
    from tests.support.notebooks import code_cell, notebook_text

    tags = ("pool:gpu", "priority_weight:9", "max_active_tis_per_dag:1")
    cells = [code_cell("x = 1", "step:one", *tags), code_cell("x + 1", "step:two")]
    about = {"podline": {"pool": "vision", "priority_weight": 3}}
    (tmp_path / "example.ipynb").write_text(notebook_text(cells, about))
    pipeline, _ = notebook_dags(tmp_path)
    one, two = pipeline.get_task("one"), pipeline.get_task("two")
    assert (one.pool, one.priority_weight, one.max_active_tis_per_dag) == ("gpu", 9, 1)
    assert (two.pool, two.priority_weight, two.max_active_tis_per_dag) == ("vision", 3, None)


def test_its_name_begins_the_ids_of_its_dags(tmp_path: Path) -> None:
    (tmp_path / "broken.ipynb").write_text("{")
    os.utime(tmp_path / "broken.ipynb", (0, 0))
    found = {dag.dag_id for dag in dags_of(tmp_path)}
    assert found == {"vision.example", "vision.example_baseline", "vision.broken"}
    (only,) = notebook_dags(tmp_path, "vision.example_baseline", VISION)
    assert only.dag_id == "vision.example_baseline"
    assert notebook_dags(tmp_path, "example", VISION) == []


def test_its_stages_are_its_own(tmp_path: Path) -> None:
    tasks = [task for dag in dags_of(tmp_path) for task in dag.tasks]
    assert {task.team for task in tasks} == {"vision"}
    elsewhere = Team("vision", namespace="gpus")
    assert {t.namespace for dag in dags_of(tmp_path, elsewhere) for t in dag.tasks} == {"gpus"}


@pytest.mark.parametrize("name", ["Vision", "a.b", "a_b", "-a", "a-", "a" * 31])
def test_what_a_team_cannot_be_called(name: str) -> None:
    with pytest.raises(ValueError, match="is no name of a team"):
        Team(name)


@pytest.mark.parametrize("backend", ["kubernetes", "process"])
def test_who_runs_its_dag_chooses_no_backend(
    tmp_path: Path, backend: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__PODLINE__BACKEND", backend)
    other = "process" if backend == "kubernetes" else "kubernetes"
    for dag in dags_of(tmp_path):
        param = dag.params.get_param("backend")
        assert param.resolve() == backend
        with pytest.raises(ParamValidationError):
            param.resolve(other)
    for dag in dags_of(tmp_path, Team(namespace="vision")):  # who shares the store
        assert dag.params.get_param("backend").resolve(other) == other
