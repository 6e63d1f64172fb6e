"""The DAGs of a folder, and those for a task's process, whose notebook may be another by now."""

import threading
import time
from pathlib import Path

import pytest
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException, ParamValidationError

from podline.operators import dag_factory
from podline.operators.dag_factory import notebook_dags
from podline.operators.stage import KeptNotebookOperator, KeptStageOperator, StageOperator
from tests.support.notebooks import write_notebook

CELLS = {"step:one": "x = 1", "step:two": "x + 1"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_notebook(tmp_path, "example", CELLS)
    return tmp_path


def for_task(folder: Path, task_id: str, dag_id: str = "example") -> DAG:
    """What a task's process gets."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", dag_id)
        patch.setenv("_AIRFLOW_PARSING_CONTEXT_TASK_ID", task_id)
        (dag,) = notebook_dags(folder, dag_id)
    assert dag.dag_id == dag_id
    assert dag.has_task(task_id)
    return dag


def test_a_task_gets_the_dag_of_its_notebook(folder: Path) -> None:
    dag = for_task(folder, "two")
    assert type(dag.get_task("two")) is StageOperator
    assert dag.has_task("one")


@pytest.mark.parametrize("text", [None, "", '{"cells": [', '{"nbformat": 4, "cells": []}'])
def test_a_task_whose_notebook_cannot_be_read(folder: Path, text: str | None) -> None:
    path = folder / "example.ipynb"
    path.unlink()
    if text is not None:
        path.write_text(text)
    stage = for_task(folder, "two").get_task("two")
    whole = for_task(folder, "notebook", "example_baseline").get_task("notebook")
    assert isinstance(stage, KeptStageOperator)
    assert isinstance(whole, KeptNotebookOperator)
    assert stage.why == whole.why
    assert "example.ipynb" in stage.why
    assert "fix: " in stage.why


def test_a_task_that_its_notebook_no_longer_has(folder: Path) -> None:
    write_notebook(folder, "example", {"step:one": "x = 1", "step:other": "x"})
    task = for_task(folder, "two").get_task("two")
    with pytest.raises(AirflowFailException) as caught:
        task.execute({})
    assert str(caught.value) == (
        "the notebook example.ipynb has no stage 'two' any more: it was edited since this run "
        "began. fix: trigger a new run"
    )


def test_who_asks_for_no_task_gets_none(folder: Path) -> None:
    (folder / "example.ipynb").unlink()
    assert notebook_dags(folder) == notebook_dags(folder, "example") == []


def test_a_notebook_that_is_being_written_is_waited_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dag_factory, "_WRITING", 5.0)  # however late the writer is
    path = folder / "example.ipynb"
    text = path.read_text()
    path.write_text(text[:100])
    writing = threading.Timer(0.5, path.write_text, [text])
    writing.start()
    dags = notebook_dags(folder)
    writing.join()
    assert [dag.dag_id for dag in dags] == ["example", "example_baseline"]


def test_one_that_stays_half_written_is_invalid_soon(folder: Path) -> None:
    (folder / "example.ipynb").write_text("{")
    began = time.monotonic()
    (dag,) = notebook_dags(folder)
    assert dag.task_ids == ["errors"]
    assert time.monotonic() - began < 10


def test_bounds_in_the_words_of_the_trigger_form(tmp_path: Path) -> None:
    source = "rows = 5  # 1..10: rows\nrate = 0.5  # 0..: rate\nkind = None  # one of a, b: which"
    write_notebook(tmp_path, "example", {"parameters": source, "step:one": "rows"})
    dag, _ = notebook_dags(tmp_path)
    schemas = {name: dag.params.get_param(name).schema for name in ("rows", "rate", "kind")}
    assert schemas["rows"].items() >= {"type": "integer", "minimum": 1, "maximum": 10}.items()
    assert (schemas["rate"]["minimum"], "maximum" in schemas["rate"]) == (0, False)
    assert schemas["kind"]["enum"] == ["a", "b", None]
    with pytest.raises(ParamValidationError):
        dag.params.get_param("rows").resolve(11)
