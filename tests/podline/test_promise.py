"""The promise: as a pipeline a notebook gives the values of a run from top to bottom, or refuses.

Every notebook of tests/notebooks says in its metadata what is expected of it.
"""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from podline.compiler.compiler import compile_notebook
from podline.exceptions import NotebookError, PodlineError
from podline.operators.local_run import LocalRun
from podline.store import Store
from tests.support.notebooks import code_cell

TESTS = Path(__file__).parents[1]
FOLDER = TESTS / "notebooks"
NOTEBOOKS = sorted(p for p in FOLDER.rglob("*.ipynb") if "invalid" not in p.parts)
# What they show, quicker ones show too.
SLOW = (
    "keras_lambda keras_own_code keras_seeded keras_dropout keras_layer_shared keras_not_built "
    "keras_history_and_model model_selection options_of_libraries sklearn_pipeline colours_by_name"
)
INVALID = sorted((FOLDER / "invalid").glob("*.ipynb"))


def _about(notebook: Path) -> dict[str, Any]:
    about: dict[str, Any] = json.loads(notebook.read_text())["metadata"]["podline_test"]
    return about


def _copy(notebook: Path, target: Path) -> Path:
    """Copy a notebook, with what is beside it if it has a folder of its own."""
    if notebook.parent != FOLDER:
        shutil.copytree(notebook.parent, target, dirs_exist_ok=True)
    else:
        shutil.copy(notebook, target)
    shutil.copy(TESTS / "support" / "describe.py", target)
    return target / notebook.name


def _reference(notebook: Path, about: dict[str, Any], folder: Path) -> dict[str, Any]:
    copy = _copy(notebook, folder)
    script = folder / "reference.py"
    shutil.copy(TESTS / "support" / "reference.py", script)
    arguments = [json.dumps(about.get("parameters", {})), json.dumps(about.get("ignore", []))]
    command = [sys.executable, str(script), copy.name, *arguments]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return _described(run.stdout)


def _described(output: str) -> dict[str, Any]:
    line = next(line for line in output.splitlines() if line.startswith("DESCRIBED "))
    described: dict[str, Any] = json.loads(line.removeprefix("DESCRIBED "))
    return described


def _with_last_stage(notebook: Path, names: list[str]) -> None:
    """Add a stage that waits for all others and describes the variables."""
    content = json.loads(notebook.read_text())
    stages = [s.name for s in compile_notebook(notebook).stages]
    values = ", ".join(f"{name!r}: {name}" for name in names)
    source = (
        "import json as podline_json\nfrom describe import describe as podline_describe\n"
        f'print("\\nDESCRIBED " + podline_json.dumps(podline_describe({{{values}}})))'
    )
    tags = ["step:podline_end", *(f"prev:{name}" for name in stages)]
    content["cells"].append({"id": "podline-end", **code_cell(source, *tags)})
    notebook.write_text(json.dumps(content))


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
        pytest.param(path, marks=[pytest.mark.slow] if path.stem in SLOW.split() else [])
        for path in NOTEBOOKS
    ],
    ids=lambda path: path.stem,
)
def test_equal_or_refused(notebook: Path, store: Store, tmp_path: Path) -> None:
    about = _about(notebook)
    if (library := about.get("requires")) and importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    copy = _copy(notebook, other)
    if about["expect"] == "refused":
        refuse = compile_notebook if about["when"] == "compile" else _run
        arguments = (copy,) if about["when"] == "compile" else (copy, about, store)
        with pytest.raises(PodlineError) as caught:
            refuse(*arguments)
        assert re.search(about["reason"], str(caught.value), re.DOTALL), caught.value
        return
    expected = _reference(notebook, about, one)
    _with_last_stage(copy, sorted(expected))
    assert _described(_run(copy, about, store)) == expected


@pytest.mark.parametrize("notebook", INVALID, ids=lambda path: path.stem)
def test_invalid(notebook: Path) -> None:
    try:
        reason = _about(notebook)["reason"]
    except json.JSONDecodeError:
        reason = "malformed_json.ipynb: error: is not JSON"
    except KeyError:
        reason = "is not a notebook"
    with pytest.raises(NotebookError) as caught:
        compile_notebook(notebook)
    assert re.search(reason, str(caught.value), re.DOTALL), caught.value
