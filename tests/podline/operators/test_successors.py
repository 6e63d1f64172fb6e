"""Which stages may be begun with while another runs."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from podline.exceptions import StageError
from podline.operators import successors
from podline.operators.dag_factory import notebook_dags
from tests.support.notebooks import write_cells

# one → two → three → four, and side → four beside it
CELLS = (
    ("step:one prev:", "x = 1"),
    ("step:two prev:one", "x += 1"),
    ("step:three prev:two", "x += 1"),
    ("step:side prev:", "y = 1"),
    ("step:four prev:three prev:side", "x + y"),
)


@pytest.fixture
def tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setenv("AIRFLOW__PODLINE__AHEAD", "9")
    write_cells(tmp_path / "chain.ipynb", *CELLS)
    return dict(notebook_dags(tmp_path, "chain")[0].task_dict)


def after(task: Any, states: dict[str, str] | None = None, **params: Any) -> list[str]:
    """The stages that may be begun with while a task runs, where the others are in these states."""
    asked: list[Any] = []

    def get_task_states(**which: Any) -> dict[str, Any]:
        asked.append(which)
        return {"r": states or {}}

    ti = SimpleNamespace(dag_id="chain", run_id="r", get_task_states=get_task_states)
    found = successors._candidates(task, {"ti": ti, "params": params})  # type: ignore[typeddict-item]
    names = [f"{stage.task_id}<{','.join(behind)}" for stage, behind in found]
    assert states is not None or not asked
    return names


def test_the_nearest_come_first_each_with_what_is_between(tasks: Any) -> None:
    done = {"side": "success"}
    assert after(tasks["one"], done) == ["two<", "three<two", "four<two,three"]


def test_nobody_is_asked_where_all_that_is_waited_for_is_behind(tasks: Any) -> None:
    assert after(tasks["two"], None, ahead="1") == ["three<"]


@pytest.mark.parametrize(
    ("state", "may"), [("running", True), ("queued", False), ("failed", False)]
)
def test_what_else_is_waited_for_must_have_begun(tasks: Any, state: str, may: bool) -> None:
    assert after(tasks["three"], {"side": state}) == (["four<"] if may else [])


def test_as_many_as_are_wanted(tasks: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert after(tasks["one"], {}, ahead="2") == ["two<", "three<two"]
    assert after(tasks["one"], None, ahead="off") == []
    monkeypatch.setenv("AIRFLOW__PODLINE__AHEAD", "off")
    assert after(tasks["one"]) == []


def test_a_tag_goes_over_the_setting_and_the_run_over_the_tag(tmp_path: Path) -> None:
    cells = [("step:one", "x = 1"), ("step:two ahead:auto", "x"), ("step:three", "x")]
    write_cells(tmp_path / "chain.ipynb", *cells)
    tasks = notebook_dags(tmp_path, "chain")[0].task_dict
    assert after(tasks["one"], {}) == ["two<"]
    assert after(tasks["one"], None, ahead="off") == []


def test_a_notebook_s_own_parameter_is_none_of_ours(tmp_path: Path) -> None:
    cells = [("parameters", "ahead = 24  # hours"), ("step:one", "x = ahead"), ("step:two", "x")]
    write_cells(tmp_path / "chain.ipynb", *cells)
    dag = notebook_dags(tmp_path, "chain")[0]
    assert dag.params["ahead"] == 24
    assert after(dag.task_dict["one"], None, ahead=24) == []


def test_what_the_run_says_must_be_readable(tasks: Any) -> None:
    with pytest.raises(StageError, match="ahead = 'all': give auto, off or a whole number"):
        after(tasks["one"], {}, ahead="all")
