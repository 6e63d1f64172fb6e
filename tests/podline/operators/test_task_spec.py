"""From a compiled notebook to a stage's task: what is shipped, which version, which values."""

import hashlib
from pathlib import Path
from typing import Any

import pytest

from podline.compiler.compiler import compile_notebook
from podline.compiler.pipeline import Pipeline
from podline.contract import Phase, ResultRef, StageResult, StageTask
from podline.exceptions import NotebookError, StageError
from podline.operators import task_spec
from podline.store import Store, keys
from podline.store.keys import RESULT, TryKey
from tests.support.latency import stage_result
from tests.support.notebooks import write_cells


def notebook(folder: Path, *sources: str, parameters: str = "") -> Path:
    cells = [("parameters", parameters)] if parameters else []
    cells += [(f"step:s{number}", source) for number, source in enumerate(sources)]
    return write_cells(folder / "example.ipynb", *cells)


RUN = keys.run_prefix("example", "r")


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    (tmp_path / "helper.py").write_text("x = 1\n")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/ü.csv").write_text("a\n1\n")
    path = notebook(tmp_path, "import helper\ny = open('data/ü.csv').read()", "print(y)")
    return compile_notebook(path)


# --- shipping -----------------------------------------------------------------------------------


def test_files_are_shipped_once_by_their_hash(pipeline: Pipeline, store: Store) -> None:
    shipment = task_spec.ship(pipeline, store, RUN)
    expected = {
        "data/ü.csv": hashlib.sha256(b"a\n1\n").hexdigest(),
        "helper.py": hashlib.sha256(b"x = 1\n").hexdigest(),
    }
    assert shipment.files == expected
    assert {item.key for item in store.list()} == {keys.file_key(RUN, d) for d in expected.values()}
    assert bytes(store.get(keys.file_key(RUN, expected["helper.py"]))) == b"x = 1\n"
    before = [item.modified for item in store.list()]
    assert task_spec.ship(pipeline, store, RUN) == shipment
    assert [item.modified for item in store.list()] == before


def test_too_large_files(pipeline: Pipeline, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__PODLINE__FILES_LIMIT_MB", "0")
    with pytest.raises(NotebookError, match=r"the largest is helper\.py"):
        task_spec.ship(pipeline, store, RUN)


def test_a_version_is_of_the_notebook_and_its_files(pipeline: Pipeline, store: Store) -> None:
    first = task_spec.ship(pipeline, store, RUN)
    helper = pipeline.document.path.parent / "helper.py"
    helper.write_text("x = 2\n")
    second = task_spec.ship(pipeline, store, RUN)
    assert first.sha256 != second.sha256
    helper.write_text("x = 1\n")
    assert task_spec.ship(pipeline, store, RUN).sha256 == first.sha256


def test_plans_are_of_the_shipped_version(pipeline: Pipeline, store: Store) -> None:
    shipment = task_spec.ship(pipeline, store, RUN)
    plan = task_spec.plan_stage(pipeline, pipeline.stages[1], {}, shipment)
    whole = task_spec.plan_baseline(pipeline, {}, shipment)
    assert (plan.notebook_sha256, plan.files) == (shipment.sha256, shipment.files)
    assert (whole.notebook_sha256, whole.files) == (shipment.sha256, shipment.files)
    assert plan.digest != whole.digest


# --- tasks and results --------------------------------------------------------------------------


def _task(pipeline: Pipeline) -> Any:
    where = TryKey("example", "run 1", "s0", -1, 2, keys.new_nonce())
    plan = pipeline.plan(pipeline.stages[0], {}, {}, 0)
    return StageTask(plan, (ResultRef("a", "k", "h"),), where.prefix, where.nonce)


def test_each_try_has_a_folder_and_a_nonce_of_its_own(pipeline: Pipeline) -> None:
    one, two = _task(pipeline), _task(pipeline)
    assert one.prefix == f"runs/example/run%201/s0/-1/2-{one.nonce}"
    assert one.nonce != two.nonce
    assert one.inputs == (ResultRef("a", "k", "h"),)


def _result(**changes: Any) -> StageResult:
    phases = (Phase("boot", 0, 0.25), Phase("code", 0.25, 1.5))
    return stage_result(phases, stage="s0", metrics={"loss": 0.125}, **changes)


def test_a_result_must_be_the_one_that_the_stage_named(pipeline: Pipeline, store: Store) -> None:
    task = _task(pipeline)
    result = _result(nonce=task.nonce)
    store.put(f"{task.prefix}/{RESULT}", result.to_json().encode())
    assert task_spec.read_result(store, task, result.digest) == result
    with pytest.raises(StageError, match=f"has the sha256 {result.digest}, and the stage said abc"):
        task_spec.read_result(store, task, "abc")


def test_a_result_of_another_try(pipeline: Pipeline, store: Store) -> None:
    task = _task(pipeline)
    result = _result(nonce="other")
    store.put(f"{task.prefix}/{RESULT}", result.to_json().encode())
    with pytest.raises(StageError, match="is of another try: its nonce is 'other'"):
        task_spec.read_result(store, task, result.digest)


def test_the_summary_for_the_log() -> None:
    assert task_spec.summary(_result()) == "s0: boot 0.25 s, code 1.50 s; loss = 0.125"


@pytest.mark.parametrize(
    ("value", "text"),
    [(129_735_456.0, "129735456"), (-2.0, "-2"), (0.4431742, "0.443174"), (1e20, "1e+20")],
)
def test_a_metric_as_text(value: float, text: str) -> None:
    assert task_spec.shown(value) == text


# --- parameters ---------------------------------------------------------------------------------

PARAMETERS = "n = 1\nrate = 0.5\nname = 'a'\non = True\nsizes = [1]\nmore = {'k': 1}\nany = None"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {}),
        ({"n": 3}, {"n": 3}),
        ({"rate": 2}, {"rate": 2.0}),
        ({"name": "b", "on": False}, {"name": "b", "on": False}),
        ({"sizes": [], "more": {}}, {"sizes": [], "more": {}}),
        ({"any": [1, "x"]}, {"any": [1, "x"]}),
    ],
)
def test_values_of_the_right_types(
    given: dict[str, Any], expected: dict[str, Any], tmp_path: Path
) -> None:
    pipeline = compile_notebook(notebook(tmp_path, "x = n", parameters=PARAMETERS))
    values = task_spec.check_parameters(pipeline, given)
    assert values == expected
    assert {k: type(v) for k, v in values.items()} == {k: type(v) for k, v in expected.items()}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"m": 1}, "example has no parameter 'm'; it has: any, more, n, name, on, rate, sizes"),
        ({"n": "3"}, "the parameter 'n' of example is '3', but its default 1 is of type int: give"),
        ({"n": 2.0}, "the parameter 'n' of example is 2.0, but its default 1 is of type int"),
        ({"n": True}, "the parameter 'n' of example is True, but its default 1 is of type int"),
        ({"on": 1}, "the parameter 'on' of example is 1, but its default True is of type bool"),
        ({"rate": "x"}, "the parameter 'rate' of example is 'x', but its default 0.5 is of type f"),
        ({"name": None}, "the parameter 'name' of example is None, but its default 'a' is of type"),
        ({"sizes": "[1]"}, "the parameter 'sizes' of example is '[1]', but its default [1] is of"),
    ],
)
def test_values_that_are_refused(given: dict[str, Any], message: str, tmp_path: Path) -> None:
    pipeline = compile_notebook(notebook(tmp_path, "x = n", parameters=PARAMETERS))
    with pytest.raises(StageError) as caught:
        task_spec.check_parameters(pipeline, given)
    assert str(caught.value).startswith(message)


BOUNDED = "rows = 5  # 1..10: rows\nkind = 'a'  # one of a, b: which\nrate = None  # 0..1: rate"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"rows": 11},
            "the parameter 'rows' of example is 11, and must be at least 1 and at most 10",
        ),
        (
            {"kind": "c"},
            "the parameter 'kind' of example is 'c', and must be one of 'a', 'b': give",
        ),
        (
            {"rate": 2.5},
            "the parameter 'rate' of example is 2.5, and must be at least 0 and at most",
        ),
    ],
)
def test_values_out_of_bounds(given: dict[str, Any], message: str, tmp_path: Path) -> None:
    pipeline = compile_notebook(notebook(tmp_path, "x = rows", parameters=BOUNDED))
    with pytest.raises(StageError) as caught:
        task_spec.check_parameters(pipeline, given)
    assert str(caught.value).startswith(message)
    assert caught.value.final
    within = {"rows": 10, "kind": "b", "rate": None}
    assert task_spec.check_parameters(pipeline, within) == within


def test_a_notebook_without_parameters(tmp_path: Path) -> None:
    pipeline = compile_notebook(notebook(tmp_path, "x = 1"))
    with pytest.raises(StageError, match="has no parameter 'n'; it has: none"):
        task_spec.check_parameters(pipeline, {"n": 1})
