"""The promise holds for pods that are made ahead: the notebooks of tests/notebooks, stage by stage.

`make test-notebooks-ahead` runs them: some five minutes on a quiet machine; no other run does.
"""

import re
from pathlib import Path
from typing import Any

import pytest

from podline.compiler.compiler import compile_notebook
from podline.exceptions import PodlineError, StageError
from podline.operators import task_spec
from podline.operators.dag_factory import notebook_dags
from tests.support import promise

from .conftest import PodRun, Pods

pytestmark = [pytest.mark.cluster, pytest.mark.notebooks_ahead, pytest.mark.timeout(600)]


@pytest.mark.parametrize(
    "notebook",
    [path for path in promise.NOTEBOOKS if promise.about(path).get("when") != "compile"],
    ids=lambda path: path.stem,
)
def test_equal_or_refused(
    notebook: Path, pods: Pods, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__PODLINE__AHEAD", "2")
    about = promise.about(notebook)
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    copy = promise.copy(notebook, other)
    if about["expect"] == "refused":
        with pytest.raises(PodlineError) as caught:
            _run(copy, about, pods)
        assert re.search(about["reason"], str(caught.value), re.DOTALL), caught.value
        return
    expected = promise.reference(notebook, about, one)
    promise.add_last_stage(copy, sorted(expected))
    assert promise.described(_run(copy, about, pods)) == expected


def _run(notebook: Path, about: dict[str, Any], pods: Pods) -> str:
    """Run a notebook; returns what it printed.

    Raises:
        StageError: a stage failed.
    """
    pipeline = compile_notebook(notebook)
    (dag,) = notebook_dags(notebook.parent, notebook.stem)
    run = PodRun(pods, dag, parameters=about.get("parameters", {}))
    lines: list[str] = []
    was_ahead = []
    for stage in pipeline.in_order():
        ran = run.run(stage.name)
        lines += ran.lines
        result = ran.result and task_spec.explained(ran.result, pipeline)
        if result is None or ran.error or result.failure:
            print("\n".join([*lines, *ran.said, *run.noted]))
            raise StageError(result.failure.message if result and result.failure else ran.error)
        was_ahead.append(result.ahead is not None)
    print(*zip((stage.name for stage in pipeline.in_order()), was_ahead, strict=True))
    assert any(was_ahead) or len(was_ahead) == 1
    return "\n".join(lines)
