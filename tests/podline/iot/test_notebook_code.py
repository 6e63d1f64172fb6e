"""A device makes what a model takes by the notebook's own code, and loads no more for it."""

import json
import sys
from pathlib import Path

import pytest

from podline.iot import notebook_code
from podline.iot.notebook_code import CodeError
from tests.support.notebooks import code_cell, notebook_text


@pytest.fixture
def notebook(tmp_path: Path) -> Path:
    cells = [
        code_cell("import json\nimport heavy_and_not_there", "imports"),
        code_cell("FACTOR = 3\n\ndef twice(x):\n    return 2 * x", "functions"),
        code_cell("def told(x):\n    return json.dumps(twice(x) * FACTOR)", "functions"),
        code_cell("y = told(1)", "step:first"),
    ]
    path = tmp_path / "small.ipynb"
    path.write_text(notebook_text(cells))
    return path


def test_what_a_name_needs_comes_with_it(notebook: Path) -> None:
    names = notebook_code.load(notebook, "told", "FACTOR")
    assert names.keys() == {"told", "FACTOR"}
    assert json.loads(names["told"](5)) == 30
    assert "heavy_and_not_there" not in sys.modules


def test_a_name_that_the_notebook_does_not_define(notebook: Path) -> None:
    with pytest.raises(CodeError, match=r"small.ipynb defines no 'y' in an imports or functions"):
        notebook_code.load(notebook, "told", "y")
