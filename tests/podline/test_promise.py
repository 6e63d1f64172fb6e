"""The promise: as a pipeline a notebook gives the values of a run from top to bottom, or refuses.

Every notebook of tests/notebooks says in its metadata what is expected of it.
"""

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import pytest

from podline.compiler.compiler import compile_notebook
from podline.exceptions import NotebookError, PodlineError
from podline.operators.local_run import LocalRun
from podline.store import Store
from tests.support import promise

# They import much; what they show, quicker ones show too. Of the others every second one is slow.
SLOW = (
    "keras_lambda keras_own_code keras_seeded keras_dropout keras_layer_shared keras_not_built "
    "keras_history_and_model model_selection options_of_libraries sklearn_pipeline colours_by_name "
    "imports_in_branches unpickled_class array_of_a_data_frame settings_in_imports_cell figure "
    "parallel_warnings_alike object_holds_dataframe plot_of_a_data_frame pandas_labels_shared "
    "pandas_dtypes dataframe_column_object_lists method_mutates_argument common_magics"
)
INVALID = sorted((promise.FOLDER / "invalid").glob("*.ipynb"))


def _run(notebook: Path, about: dict[str, Any], store: Store) -> str:
    lines: list[str] = []
    run = LocalRun(compile_notebook(notebook), store, about.get("parameters", {}))
    try:
        run.run(lambda stage, line: lines.append(line))
    except PodlineError:
        print("\n".join(lines), *(r.failure for r in run.results.values()), sep="\n")
        raise
    return "\n".join(lines)


@pytest.mark.parametrize(
    "notebook",
    [
        pytest.param(
            path, marks=[pytest.mark.slow] if number % 2 or path.stem in SLOW.split() else []
        )
        for number, path in enumerate(promise.NOTEBOOKS)
    ],
    ids=lambda path: path.stem,
)
def test_equal_or_refused(notebook: Path, store: Store, tmp_path: Path) -> None:
    about = promise.about(notebook)
    if (library := about.get("requires")) and importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    copy = promise.copy(notebook, other)
    if about["expect"] == "refused":
        refuse = compile_notebook if about["when"] == "compile" else _run
        arguments = (copy,) if about["when"] == "compile" else (copy, about, store)
        with pytest.raises(PodlineError) as caught:
            refuse(*arguments)
        assert re.search(about["reason"], str(caught.value), re.DOTALL), caught.value
        return
    expected = promise.reference(notebook, about, one)
    promise.add_last_stage(copy, sorted(expected))
    assert promise.described(_run(copy, about, store)) == expected


@pytest.mark.parametrize("notebook", INVALID, ids=lambda path: path.stem)
def test_invalid(notebook: Path) -> None:
    try:
        reason = promise.about(notebook)["reason"]
    except json.JSONDecodeError:
        reason = "malformed_json.ipynb: error: is not JSON"
    except KeyError:
        reason = "is not a notebook"
    with pytest.raises(NotebookError) as caught:
        compile_notebook(notebook)
    assert re.search(reason, str(caught.value), re.DOTALL), caught.value
