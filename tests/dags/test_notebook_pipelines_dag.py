"""The DAG file: every DAG loads, says what it is, and runs."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.support.notebooks import code_cell, notebook_text

ROOT = Path(__file__).parents[2]
DAG_FILES = sorted((ROOT / "dags").glob("*.py"))

_LOAD = """
import json, sys, warnings
warnings.simplefilter("error")
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[1])
print(json.dumps({"errors": bag.import_errors, "dags": {
    dag_id: {
        "tasks": {t.task_id: sorted(t.upstream_task_ids) for t in dag.tasks},
        "params": {name: dag.params.get_param(name).serialize() for name in dag.params},
        "doc": dag.doc_md, "tags": sorted(dag.tags),
        "schedule": str(getattr(dag, "schedule", None)), "retries": dag.default_args["retries"],
        "owner": dag.owner, "max_active_runs": dag.max_active_runs, "catchup": dag.catchup,
    } for dag_id, dag in bag.dags.items()}}))
"""


def load_dags(tmp_path: Path, notebooks: Path | None = None) -> dict[str, Any]:
    """Load the DAG files as Airflow does, in a process of its own, with warnings as errors."""
    env = os.environ | {"AIRFLOW_HOME": str(tmp_path / "airflow")}
    if notebooks:
        env["AIRFLOW__PODLINE__NOTEBOOKS_FOLDER"] = str(notebooks)
    env |= {"PYTHONPATH": str(ROOT / "plugins")}
    command = [sys.executable, "-c", _LOAD, str(ROOT / "dags")]
    run = subprocess.run(command, env=env, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-3000:]
    found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("path", DAG_FILES, ids=lambda path: path.name)
def test_a_dag_file_is_docstring_constants_and_wiring(path: Path) -> None:
    text = path.read_text()
    assert text.startswith('"""')
    assert len(text.splitlines()) <= 150
    assert "def " not in text
    assert "class " not in text


def test_every_notebook_gives_a_dag_and_its_baseline(tmp_path: Path) -> None:
    found = load_dags(tmp_path)
    assert found["errors"] == {}
    names = {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")}
    expected = names | {f"{name}_baseline" for name in names} | {
        "pod_sweep", "overhead_sweep", "upload_benchmark",
    }  # fmt: skip
    expected.add("household_power_stock")  # it names its sizes
    assert set(found["dags"]) == expected
    assert all(dag["doc"] and "podline" in dag["tags"] for dag in found["dags"].values())


def test_household_power_is_what_its_notebook_says(tmp_path: Path) -> None:
    dag = load_dags(tmp_path)["dags"]["household_power"]
    assert dag["tasks"] == {
        "ingest": [],
        "preprocess": ["ingest"],
        "train": ["preprocess"],
        "evaluate": ["train"],
        "publish": ["evaluate"],
    }
    assert dag["doc"].startswith("# Forecast a house's power")
    assert dag["tags"] == ["forecast", "iot", "notebook", "podline"]
    assert (dag["retries"], dag["max_active_runs"], dag["catchup"]) == (1, 1, False)
    horizon = dag["params"]["horizon"]
    assert horizon["value"] == 1
    assert horizon["schema"]["type"] == "integer"
    assert horizon["description"] == "hours ahead"
    assert dag["params"]["backend"]["value"] == "process"


def test_activity_recognition_has_stages_side_by_side(tmp_path: Path) -> None:
    dag = load_dags(tmp_path)["dags"]["activity_recognition"]
    assert dag["tasks"] == {
        "ingest": [],
        "preprocess": ["ingest"],
        "train_forest": ["preprocess"],
        "train_cnn": ["preprocess"],
        "evaluate": ["train_cnn", "train_forest"],
        "publish": ["evaluate"],
    }
    assert dag["doc"].startswith("# Recognise an exercise from a watch")
    assert dag["tags"] == ["classification", "iot", "notebook", "podline"]
    held_out = dag["params"]["held_out"]
    assert held_out["value"] == [9, 10]
    assert held_out["schema"]["type"] == "array"


def test_an_invalid_notebook_harms_no_other(tmp_path: Path) -> None:
    folder = tmp_path / "notebooks"
    folder.mkdir()
    tests = ROOT / "tests" / "notebooks"
    for name in ("skip_cell.ipynb", "invalid/two_errors_at_once.ipynb", "invalid/cycle.ipynb"):
        shutil.copy(tests / name, folder)
    (folder / "bad_schedule.ipynb").write_text(_scheduled("every tuesday"))
    found = load_dags(tmp_path, folder)
    assert found["errors"] == {}
    dags = found["dags"]
    invalid = {name for name, dag in dags.items() if "invalid" in dag["tags"]}
    assert invalid == {"two_errors_at_once", "cycle", "bad_schedule"}
    assert list(dags["two_errors_at_once"]["tasks"]) == ["errors"]
    assert dags["two_errors_at_once"]["schedule"] == "None"
    assert "undefined name 'missing_one'" in dags["two_errors_at_once"]["doc"]
    assert "every tuesday" in dags["bad_schedule"]["doc"]
    assert "invalid" not in dags["skip_cell"]["tags"]


def test_a_parameter_called_backend_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "notebooks"
    folder.mkdir()
    cells = [code_cell("backend = 'gpu'", "parameters"), code_cell("print(backend)", "step:use")]
    (folder / "mine.ipynb").write_text(notebook_text(cells))
    dag = load_dags(tmp_path, folder)["dags"]["mine"]
    assert "the parameter 'backend' is podline's own" in dag["doc"]


def test_tags_set_retries_and_timeout_of_the_task(tmp_path: Path) -> None:
    script = """
import sys
from datetime import timedelta
from pathlib import Path
from podline.operators.dag_factory import notebook_dags
(dag, _) = notebook_dags(Path(sys.argv[1]))
task = dag.get_task("work")
assert task.retries == 3 and task.retry_delay == timedelta(seconds=30), task.retries
assert task.retry_exponential_backoff == 2 and task.max_retry_delay == timedelta(minutes=10)
assert task.execution_timeout == timedelta(minutes=5)
"""
    (tmp_path / "tagged.ipynb").write_text(
        notebook_text([code_cell("x = 1", "step:work", "retry:3:30s:2:10m", "timeout:5m")])
    )
    env = os.environ | {"PYTHONPATH": str(ROOT / "plugins")}
    command = [sys.executable, "-c", script, str(tmp_path)]
    run = subprocess.run(command, env=env, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-3000:]


def _scheduled(schedule: str) -> str:
    return notebook_text([code_cell("x = 1", "step:work")], {"podline": {"schedule": schedule}})
