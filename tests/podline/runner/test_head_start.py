"""What a stage's process imports before its task is due, and when that must not count."""

from pathlib import Path

import pytest

from podline.contract import Carried
from podline.runner.head_start import HeadStart, is_import, leading_imports

from .conftest import carry


def preamble(*sources: str) -> list[Carried]:
    return [carry(source, "") for source in sources]


@pytest.mark.parametrize(
    ("sources", "modules"),
    [
        (["import json, csv", "from pathlib import Path"], ["json", "csv", "pathlib"]),
        (["'''What it does.'''", "SEED = 4", "import json"], ["json"]),
        (["import numpy.linalg as la"], ["numpy.linalg"]),
        # What may change what an import does or finds comes first, as in the notebook.
        (["import os", "os.environ['KERAS_BACKEND'] = 'jax'", "import keras"], ["os"]),
        (["import random", "random.seed(1)", "import json"], ["random"]),
        (["x = open('f').read()", "import json"], []),
        (["def f(x=print()): ...", "import json"], []),
        (["get_ipython().run_line_magic('env', 'A=1')", "import json"], []),
        (["%matplotlib inline", "import json"], []),
        # The notebook's own modules, and those that are nowhere, may run anything.
        (["import json", "import my_own_helpers", "import csv"], ["json"]),
        (["from . import helpers", "import json"], []),
    ],
)
def test_imports_above_all_else_are_made_ahead(sources: list[str], modules: list[str]) -> None:
    assert [module for module, _ in leading_imports(preamble(*sources))] == modules


def test_a_module_beside_the_notebook_is_not_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "beside.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    assert [*leading_imports(preamble("import beside"))] == []


@pytest.mark.parametrize(
    ("source", "answer"),
    [
        ("import json, csv", True),
        ("from pathlib import Path", True),
        ("import json; SEED = json.loads('4')", False),
        ("SEED = 4", False),
        ("import my_own_helpers", False),
        ("%matplotlib inline", False),
    ],
)
def test_a_statement_is_an_import_of_libraries_and_no_more(source: str, answer: bool) -> None:
    assert is_import(carry(source, "")) is answer


def a_start(*modules: str, failed: str = "") -> HeadStart:
    imports = tuple((module, ()) for module in modules)
    return HeadStart(None, {}, "", imports, frozenset({"json", "six"}), failed)  # type: ignore[arg-type]


def test_a_head_start_counts_where_nothing_has_changed(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "rows.csv").touch()
    needed = preamble("import json", "import csv", "x = f()")
    assert a_start("json").why_void(needed, ["random", "numpy"], tmp_path) == ""
    assert a_start("csv").why_void(needed, [], tmp_path) == ""


@pytest.mark.parametrize(
    ("needed", "state", "file", "why"),
    [
        (["import json"], ["environ"], "", "the stages before changed environ"),
        (["import json"], ["sys.path", "random"], "", "the stages before changed sys.path"),
        (["import json"], [], "six.py", "the file six.py goes before what a library would import"),
        (["import json"], [], "json", "the file json goes before"),
        (["import json"], [], "matplotlibrc", "the file matplotlibrc goes before"),
        (["x = f()", "import json"], [], "", "in another order"),
    ],
)
def test_a_head_start_is_void(
    needed: list[str], state: list[str], file: str, why: str, tmp_path: Path
) -> None:
    if file:
        (tmp_path / file).touch()
    assert why in a_start("json").why_void(preamble(*needed), state, tmp_path)


def test_an_import_that_failed_makes_it_void(tmp_path: Path) -> None:
    start = a_start("json", failed="json")
    assert start.why_void(preamble("import json"), [], tmp_path) == "json could not be imported"
