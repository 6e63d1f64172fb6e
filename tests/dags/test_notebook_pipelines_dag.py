"""The DAG file: every DAG loads, says what it is, and runs."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from podline.compiler.dag_id import dag_id
from tests.support.dags_test import ROOT, load_dags
from tests.support.notebooks import code_cell, notebook_text, write_cells

# Where the studies are; their own tests see that these load.
OF_STUDIES = {
    "overhead_sweep",
    "update_benchmark",
    "upload_benchmark",
    "activity_recognition_stock",
    "activity_recognition_stock_tuned",
    "household_power_stock",
    "household_power_stock_tuned",
}
DAG_FILES = sorted((ROOT / "dags").glob("*.py"))


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
    notebooks = names | {f"{name}_baseline" for name in names}
    assert set(found["dags"]) - OF_STUDIES == notebooks | {"edge_rollout", "pod_sweep"}
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
    assert (horizon["schema"]["minimum"], horizon["description"]) == (1, "1..: hours ahead")
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


def test_no_name_of_a_file_harms_another(tmp_path: Path) -> None:
    folder = tmp_path / "notebooks"
    folder.mkdir()
    # Names that Airflow refuses, that others have already, and those of the DAG file's module.
    odd = ["a b", "a(1)", "ü\u0308", ".hidden", "..", "x" * 245, "pod_sweep", "a_b_baseline"]
    names = ["a_b", *odd, "dag", "globals", "settings", "__name__", "__file__", "notebook_dags"]
    for name in names:
        write_cells(folder / f"{name}.ipynb", ("step:work", f"name = {name!r}"))
    (folder / "folder.ipynb").mkdir()
    (folder / "dangling.ipynb").symlink_to("nowhere.ipynb")
    (folder / "half.ipynb").write_text('{"cells": [')
    (folder / "latin.ipynb").write_bytes(b"\xff")
    os.mkfifo(folder / "pipe.ipynb")
    shutil.copy(folder / "a_b.ipynb", os.fsencode(folder) + b"/\xff.ipynb")
    found = load_dags(tmp_path, folder)
    assert found["errors"] == {}
    ids = {dag_id(path) for path in folder.iterdir()}
    assert len(ids) == len(names) + 6
    unreadable = {"folder", "dangling", "half", "latin", "pipe"}
    baselines = {f"{name}_baseline" for name in ids - unreadable}
    assert found["dags"].keys() - OF_STUDIES == ids | baselines | {"edge_rollout", "pod_sweep"}
    invalid = {name for name, dag in found["dags"].items() if "invalid" in dag["tags"]}
    assert invalid == unreadable


def test_documentation_is_never_taken_for_a_file(tmp_path: Path) -> None:
    folder = tmp_path / "notebooks"
    folder.mkdir()
    text = f"{'more ' * 100} in README.md"
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": text},
        code_cell("x = 1", "step:a"),
    ]
    (folder / "documented.ipynb").write_text(notebook_text(cells))
    dag = load_dags(tmp_path, folder)["dags"]["documented"]
    assert dag["doc"] == f"{text}\n"


def test_a_parameter_called_backend_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "notebooks"
    folder.mkdir()
    cells = [code_cell("backend = 'gpu'", "parameters"), code_cell("print(backend)", "step:use")]
    (folder / "mine.ipynb").write_text(notebook_text(cells))
    dag = load_dags(tmp_path, folder)["dags"]["mine"]
    assert "cell 1, line 1: error: the parameter 'backend' is podline's own" in dag["doc"]


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
