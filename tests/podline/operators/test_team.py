"""A team's notebooks: where their stages run, and what they get."""

from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG

from podline.operators.dag_factory import notebook_dags
from podline.operators.team import Team
from tests.support.notebooks import write_notebook

CELLS = {"step:one": "x = 1", "step:two": "x + 1"}
VISION = Team(
    namespace="vision",
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


def test_a_task_whose_notebook_cannot_be_read_has_it_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "example")
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_TASK_ID", "two")
    (dag,) = notebook_dags(tmp_path, "example", VISION)
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
