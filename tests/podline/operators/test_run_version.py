"""Which version of its notebook a run goes by: its own, whatever is saved meanwhile."""

from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from podline.compiler.compiler import compile_notebook
from podline.compiler.pipeline import Pipeline
from podline.exceptions import StageError
from podline.operators import run_version, task_spec
from podline.operators.task_spec import Shipment
from podline.store import Store, keys
from tests.support.notebooks import write_cells

RUN = keys.run_prefix("example", "r")


def notebook(folder: Path, first: str = "x = 1", second: str = "print(x)") -> Pipeline:
    path = write_cells(folder / "example.ipynb", ("step:one", first), ("step:two", second))
    return compile_notebook(path)


class Task:
    """What Airflow tells a task of its run."""

    def __init__(self, cleared: int = 0, tries: int = 1, minute: int = 0, **results: Any) -> None:
        self.dag_id, self.run_id, self.task_id, self.try_number = "example", "r", "one", tries
        start = datetime(2026, 1, 1, 0, minute, tzinfo=UTC)
        self.context: Any = {
            "ti": self,
            "params": {},
            "dag_run": SimpleNamespace(start_date=start, run_after=start, clear_number=cleared),
        }
        self.results = results

    def get_task_states(self, dag_id: str, run_ids: list[str]) -> dict[str, dict[str, str]]:
        return {"r": {"one": "running"} | dict.fromkeys(self.results, "success")}

    def xcom_pull(self, task_ids: str) -> Any:
        return self.results[task_ids]


def result(shipment: Shipment, stage: str = "two") -> Any:
    return {"stage": stage, "version": shipment.sha256, "files": shipment.files}


def test_a_run_begins_with_the_notebook_as_it_is(tmp_path: Path, store: Store) -> None:
    pipeline = notebook(tmp_path)
    shipment = run_version.begin(pipeline, store, RUN, Task().context)
    assert shipment == task_spec.ship(pipeline, store, RUN)
    assert run_version.pipeline_of(pipeline, shipment, store, RUN) is pipeline


def test_a_stage_after_an_edit_runs_what_the_run_began_with(tmp_path: Path, store: Store) -> None:
    (tmp_path / "data.csv").write_text("1")
    before = notebook(tmp_path, "x = open('data.csv').read()")
    shipment = run_version.begin(before, store, RUN, Task().context)
    now = notebook(tmp_path, "x = 2", "print(x, x)")
    found = run_version.pipeline_of(now, shipment, store, RUN)
    assert found is not now
    plans = [task_spec.plan_stage(p, p.stage("two"), {}, shipment) for p in (before, found)]
    assert plans[0] == plans[1]
    baselines = [task_spec.plan_baseline(p, {}, shipment) for p in (before, found)]
    assert baselines[0] == baselines[1]


@pytest.mark.parametrize("again", [{}, {"tries": 2}], ids=["another stage", "another try"])
def test_of_several_first_stages_the_first_one_says(
    tmp_path: Path, store: Store, again: Any
) -> None:
    shipment = run_version.begin(notebook(tmp_path), store, RUN, Task().context)
    edited = notebook(tmp_path, "x = 2")
    assert run_version.begin(edited, store, RUN, Task(**again).context) == shipment


def test_a_cleared_first_stage_goes_on_with_what_is_kept(tmp_path: Path, store: Store) -> None:
    shipment = run_version.begin(notebook(tmp_path), store, RUN, Task().context)
    edited = notebook(tmp_path, "x = 2")
    cleared = Task(cleared=1, tries=2, minute=5, two=result(shipment))
    assert run_version.begin(edited, store, RUN, cleared.context) == shipment


def test_a_run_of_which_nothing_is_kept_begins_anew(tmp_path: Path, store: Store) -> None:
    shipment = run_version.begin(notebook(tmp_path), store, RUN, Task().context)
    edited = notebook(tmp_path, "x = 2")
    cleared = Task(cleared=1, tries=2, minute=5)
    again = run_version.begin(edited, store, RUN, cleared.context)
    assert again != shipment
    assert run_version.pipeline_of(edited, again, store, RUN) is edited


def test_another_run_of_the_same_id_begins_anew(tmp_path: Path, store: Store) -> None:
    """As `airflow dags test` makes them, for the same date."""
    shipment = run_version.begin(notebook(tmp_path), store, RUN, Task().context)
    edited = notebook(tmp_path, "x = 2")
    assert run_version.begin(edited, store, RUN, Task(minute=1).context) != shipment


def test_results_of_two_versions_are_refused() -> None:
    inputs = [result(Shipment({}, "1"), "one"), result(Shipment({}, "2"))]
    with pytest.raises(StageError) as caught:
        run_version.of_inputs(inputs, "example")
    assert str(caught.value) == (
        "the stages 'one' and 'two' of this run ran two versions of the notebook example, and a "
        "run never mixes them. fix: trigger a new run, or clear all of this one"
    )
    assert caught.value.final


def test_a_version_that_was_cleaned_away(tmp_path: Path, store: Store) -> None:
    shipment = run_version.begin(notebook(tmp_path), store, RUN, Task().context)
    store.delete([keys.notebook_key(RUN, shipment.sha256)])
    with pytest.raises(StageError, match=r"example\.ipynb was edited since this run began, and"):
        run_version.pipeline_of(notebook(tmp_path, "x = 2"), shipment, store, RUN)


def test_a_module_edited_meanwhile_does_not_matter(tmp_path: Path, store: Store) -> None:
    (tmp_path / "helper.py").write_text("x = 1")
    pipeline = notebook(tmp_path, "import helper\nx = helper.x")
    shipment = run_version.begin(pipeline, store, RUN, Task().context)
    (tmp_path / "helper.py").write_text("x = 2")
    assert run_version.pipeline_of(pipeline, shipment, store, RUN) is pipeline


def test_parameters_have_the_defaults_of_their_version(tmp_path: Path) -> None:
    path = write_cells(tmp_path / "n.ipynb", ("parameters", "a = 1\nb = 2"), ("step:s", "a + b"))
    assert run_version.values_of(compile_notebook(path), {"b": 3, "c": 4}) == {"a": 1, "b": 3}
